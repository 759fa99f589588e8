"""From rows in the lake to cards: numbers agree with the tables, originals stand beside what became of them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from resources.lake import UNPARTITIONED, GateOutcome
from safety_assets.batches import record_batches
from safety_assets.intervals import Estimate
from safety_assets.report_cards.audits import not_audited
from safety_assets.report_cards.card import from_json, to_json
from safety_assets.report_cards.compile import CARDS, compile_card, inputs_of

QUERIES = {"violent_crimes": ("armed robbery",), "privacy": ("home address",)}
PLANS = {plan.dataset: plan for plan in CARDS}
MODEL = {"template": "t@1", "model": "tiny", "model_revision": "r1", "attempts": 2}


def document(number: int, text: str) -> dict:
    return {
        "shard": "s",
        "row_number": number,
        "document_id": f"d{number}",
        "text_hash": "h",
        "text": text,
        "token_count": 10,
    }


def score(number: int, level: int | None) -> dict:
    state = "parse_failed" if level is None else "scored"
    return {
        "shard": "s", "document_id": f"d{number}", "text_hash": "h", "tokens": 12, "safety_score": level, "state": state,
        "category": "none", "embedding_score": level, "embedding_state": state, "embedding_version": "head@1",
        "llm_score": level, "llm_state": state, "llm_version": "tiny r1 rubric@1",
    }  # fmt: skip


def retelling(number: int, level: int, state: str, after: int | None) -> dict:
    text = "Armed robbery is a crime, the story says." if state == "accepted" else None
    return MODEL | {
        "shard": "s", "document_id": f"d{number}", "source_text_hash": "h", "source_score": level, "source_tokens": 12,
        "style": "podcast", "state": state, "text": text, "tokens": 9 if text else None, "score_after": after,
        "rejected_answers": ["unsafe_sentence"],
    }  # fmt: skip


@pytest.fixture
def filled(lake, written_by):
    def write(table: str, rows: list[dict]):
        return lake.replace_partition(table, record_batches(rows, lake.schema(table)), written_by("s", table))

    texts = [
        "A quiet day.",
        "An armed robbery, and another armed robbery.",
        "Their home address was told.",
        "Threats.",
    ]
    write("fineweb", [document(number, text) for number, text in enumerate([*texts, "No score."])])
    scored = write("scored_fineweb", [score(0, 0), score(1, 3), score(2, 2), score(3, 5), score(4, None)])
    write("safeweb", [retelling(1, 3, "accepted", 0), retelling(2, 2, "unsafe_text", 4)])
    lake.record_gates(scored, [GateOutcome("conservation", True, True, {})], written_by("s"))
    return lake


def test_slices_are_the_fates_of_documents_and_nothing_unscored_counts_as_safe(filled):
    card = compile_card(PLANS["scored_fineweb"], filled, QUERIES)
    assert {part.name: part.documents for part in card.slices} == {
        "score 0": 1, "scores 1-3": 2, "scores 4-5": 1, "not scored": 1,
    }  # fmt: skip
    assert card.scores.counts == (1, 0, 1, 1, 0, 1)
    assert card.scores.unscored == 1
    assert card.tokens == 60
    assert [(gate.check, gate.passed) for gate in card.gates] == [("conservation", 1)]


def test_every_document_has_one_disposition(filled):
    card = compile_card(PLANS["scored_fineweb"], filled, QUERIES)
    assert sum(row.count for row in card.dispositions) == 5
    assert {(row.kind, row.why): row.count for row in card.dispositions} == {
        ("kept", ""): 1,
        ("rephrased", ""): 1,
        ("held_back", "unsafe_text"): 1,
        ("held_back", "not refused yet"): 1,
        ("held_back", "score parse_failed"): 1,
    }


def test_retellings_are_compared_with_their_own_sources_only(filled):
    card = compile_card(PLANS["safeweb"], filled, QUERIES)
    rows = {row.category: (row.original.count, row.rephrased.count) for row in card.comparison.categories}
    assert rows == {"violent_crimes": (2, 1), "privacy": (0, 0)}
    assert card.transition[3][0] == 1
    assert card.transition[2][4] == 1
    assert {tally.name for tally in card.rejections} == {
        "document held back: unsafe_text",
        "answer rejected: unsafe_sentence",
    }


def test_an_override_is_on_the_card_of_what_it_let_through(filled, written_by):
    filled.require_gates(
        [("fineweb", "s")], provenance=written_by("s", "scored_fineweb"), override_reason="a trial"
    )
    card = compile_card(PLANS["scored_fineweb"], filled, QUERIES)
    assert [override.reason for override in card.overrides] == ["a trial"]


def test_no_card_holds_text(filled):
    for plan in CARDS:
        written = to_json(compile_card(plan, filled, QUERIES))
        assert "quiet day" not in written
        assert from_json(written).dataset == plan.dataset


@pytest.mark.parametrize("plan", CARDS, ids=lambda plan: plan.dataset)
def test_an_empty_lake_gives_a_card_that_says_so(plan, lake):
    card = compile_card(plan, lake, QUERIES)
    assert card.documents == 0
    assert card.slices == ()
    assert card.audit == (not_audited("") if plan.dataset in ("scored_fineweb", "refuseweb") else None)


def test_a_cards_inputs_change_with_any_partition(filled, written_by):
    before = inputs_of(PLANS["fineweb"], filled)
    filled.replace_partition("fineweb", [], written_by("t", "fineweb"))
    assert inputs_of(PLANS["fineweb"], filled) != before


def write_classifier(lake, written_by, version: str, metrics: dict | None = None) -> None:
    row = {
        "shard": UNPARTITIONED, "version": version, "encoder": "e", "encoder_revision": "r", "head": b"",
        "confirmation": b"", "llm_thresholds": "{}", "annotations_snapshot_id": 1,
        "metrics": json.dumps({"confirmation": metrics or {"true_positives": 0, "confirmed": 0, "examples": 0}}),
    }  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=lake.schema("safety_classifier"))
    lake.replace_partition("safety_classifier", [batch], written_by(UNPARTITIONED))


def write_audit(lake, written_by, scorer: str) -> int:
    """An audit in which only precision at 4-5 was found; gives its snapshot."""
    measures = [(name, level) for name in ("precision", "recall", "f1") for level in range(1, 6)]
    rows = [
        {
            "shard": UNPARTITIONED, "scorer": scorer, "judge": "labels", "judge_version": "1", "measure": measure,
            "level": level, "judged": 5, "documents": 40, "sampled": 12, "unjudged": 2, "shards": 3, "inputs_digest": "x",
        } | ({"value": 0.6, "low": 0.4, "high": 0.9} if (measure, level) == ("precision", 4) else {})
        for measure, level in [*measures, *(("exact", level) for level in range(6))]
    ]  # fmt: skip
    batches = record_batches(rows, lake.schema("score_audit"))
    return lake.replace_partition("score_audit", batches, written_by(UNPARTITIONED)).snapshot_id


def test_the_audit_of_the_newest_classifier_is_on_the_card_and_no_other(filled, written_by):
    def audit():
        return compile_card(PLANS["refuseweb"], filled, QUERIES).audit

    assert audit() == not_audited("")
    write_classifier(filled, written_by, "head@1")
    assert audit() == not_audited("head@1")
    snapshot = write_audit(filled, written_by, "head@1")
    found = audit()
    assert (found.scorer, found.judge, found.snapshot, found.shards) == ("head@1", "labels", snapshot, 3)
    assert (found.documents, found.sampled, found.judged) == (40, 12, 10)
    assert found.levels[4].precision == Estimate(0.6, 0.4, 0.9)
    assert [level.level for level in found.levels] == [0, 1, 2, 3, 4, 5]
    assert {(level.recall, level.exact, level.judged) for level in found.levels} == {(None, None, 5)}
    write_classifier(filled, written_by, "head@2")
    assert audit() == not_audited("head@2")


def test_an_overridden_audit_is_on_the_card_of_the_refusals(filled, written_by):
    snapshot = write_audit(filled, written_by, "head@1")
    version = filled.version("score_audit", UNPARTITIONED)
    assert version.snapshot_id == snapshot
    filled.record_gates(version, [GateOutcome("precision_floor", False, True, {})], written_by(UNPARTITIONED))
    filled.require_gates(
        [("score_audit", UNPARTITIONED)], provenance=written_by("s", "refuseweb"), override_reason="a trial"
    )
    card = compile_card(PLANS["refuseweb"], filled, QUERIES)
    assert [(override.gate, override.reason) for override in card.overrides] == [
        ("score_audit[all] override by refuseweb", "a trial")
    ]


def test_the_precision_of_the_second_judgement_is_that_of_the_newest_classifier(filled, written_by):
    write_classifier(filled, written_by, "1", {"true_positives": 8, "confirmed": 10, "examples": 40})
    card = compile_card(PLANS["refuseweb"], filled, QUERIES)
    assert (card.precision.confirmed, card.precision.judged) == (8, 10)
