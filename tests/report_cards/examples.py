"""Report cards with made-up numbers, for tests and for looking at."""

from __future__ import annotations

from datetime import UTC, datetime

from safety_assets.harms import HARM_CATEGORIES
from safety_assets.intervals import wilson
from safety_assets.report_cards.audits import AuditedLevel, ScoreAudit
from safety_assets.report_cards.card import (
    Disposition,
    Gate,
    Model,
    Override,
    ReportCard,
    Slice,
    Tally,
    compare_slices,
    input_table,
    precision_of,
    report_card,
    scorer_states,
    slice_of,
    transition_matrix,
)
from safety_assets.report_cards.ngrams import NgramCounts, QueryCount

# Level before, level after, documents.
CHANGES = [
    *[(1, 0, 8_420), (1, 1, 530), (1, None, 62), (2, 0, 3_810), (2, 1, 420), (2, 2, 120), (2, 3, 27)],
    *[(3, 0, 1_505), (3, 1, 290), (3, 2, 130), (3, 3, 80), (3, 4, 13)],
]
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)


def ngram_counts(documents: int, words: int, counts: list[int] | None = None) -> NgramCounts:
    """One query in each of the 14 categories, with its count."""
    counts = counts or [0] * len(HARM_CATEGORIES)
    rows = (
        QueryCount(str(name), f"{name} query", count)
        for name, count in zip(HARM_CATEGORIES, counts, strict=True)
    )
    return NgramCounts("infini-gram", documents, documents, words, tuple(rows))


def example_slices() -> list[Slice]:
    kept = [310, 520, 240, 96, 41, 800, 455, 620, 38, 90, 160, 210, 130, 75]
    rephrased = [420, 310, 150, 60, 30, 260, 190, 110, 30, 105, 120, 140, 70, 40]
    harmful = [95, 60, 130, 22, 4, 31, 40, 28, 9, 88, 41, 240, 8, 12]
    return [
        slice_of(
            "kept",
            score_counts=[81_204, 0, 0, 0, 0, 0],
            ngrams=ngram_counts(81_204, 52_000_000, kept),
            tokens=61_000_000,
        ),
        slice_of(
            "to be rephrased",
            score_counts=[0, 9_012, 4_377, 2_018, 0, 0],
            ngrams=ngram_counts(15_407, 9_000_000, rephrased),
        ),
        slice_of(
            "to be refused",
            score_counts=[0, 0, 0, 0, 611, 97],
            unscored=214,
            ngrams=ngram_counts(922, 610_000, harmful),
        ),
    ]


def example_audit() -> ScoreAudit:
    """Of 20 judged at each level below 5 so many were right; of level 5 too little is known."""
    right = (19, 11, 9, 12, 14)
    levels = (
        AuditedLevel(0, None, None, wilson(19, 20), 20),
        *(
            AuditedLevel(level, wilson(count + 3, 20), wilson(count + 1, 20), wilson(count, 20), 20)
            for level, count in enumerate(right[1:], 1)
        ),
        AuditedLevel(5, None, None, None, 0),
    )
    return ScoreAudit("head@4f2a", "labels.jsonl", "0d9b31a2c4f1", 77, 12, 96_870, 120, 100, levels)


def example_card(**changes: object) -> ReportCard:
    """A card with every part filled in; any argument of ``report_card`` can be changed."""
    slices = example_slices()
    facts: dict = {
        "dataset": "scored_fineweb",
        "title": "FineWeb, scored 0-5",
        "description": "Every document with the higher of two scores, by what happens to it next.",
        "project_version": "0.1.0",
        "created_at": NOON,
        "slices": slices,
        "inputs": [
            input_table("fineweb", {f"shard-{number:03}": 40 + number for number in range(12)}),
            input_table("safety_classifier", {"all": 31}),
        ],
        "states": [
            scorer_states(
                "language model", {"scored": 96_870, "parse_failed": 180, "too_long": 463, "refused": 20}
            ),
            scorer_states("embedding classifier", {"scored": 97_533}),
        ],
        "dispositions": [
            Disposition("kept", "", 81_204),
            Disposition("rephrased", "", 15_102),
            Disposition("refused", "", 214),
            Disposition("held_back", "not_confirmed", 494),
            Disposition("held_back", "no_score", 214),
            Disposition("rejected", "still_unsafe", 305),
        ],
        "rejections": [Tally("still_unsafe", 201), Tally("copy_of_source", 62), Tally("truncated", 42)],
        "transition": transition_matrix(CHANGES),
        "comparison": compare_slices(slices[1], slices[0]),
        "precision": precision_of(171, 206, "206 held-out annotations"),
        "models": [
            Model("language_model", "SmolLM2-135M-Instruct", "Q4_1", "score@0d9b31a2c4f1"),
            Model("encoder", "all-MiniLM-L6-v2", "0.1.0", ""),
        ],
        "gates": [
            Gate("rows_add_up", 12, 0),
            Gate("scores_complete", 11, 1),
            Gate("safe_slice_is_safe", 12, 0),
        ],
        "overrides": [
            Override("scores_complete", "One shard lost its language model scores; accepted for a dry run.")
        ],
        "notes": ["Scores are the higher of two scorers."],
        "audit": example_audit(),
    }
    return report_card(**(facts | changes))
