"""From rows in the lake to cards: numbers agree with the tables, originals stand beside what became of them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from resources.lake import UNPARTITIONED, GateOutcome
from safety_assets.batches import record_batches
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


def test_a_cards_inputs_change_with_any_partition(filled, written_by):
    before = inputs_of(PLANS["fineweb"], filled)
    filled.replace_partition("fineweb", [], written_by("t", "fineweb"))
    assert inputs_of(PLANS["fineweb"], filled) != before


def test_the_precision_of_the_second_judgement_is_that_of_the_newest_classifier(filled, written_by):
    metrics = {"confirmation": {"true_positives": 8, "confirmed": 10, "examples": 40}}
    row = {
        "shard": UNPARTITIONED, "version": "1", "encoder": "e", "encoder_revision": "r", "head": b"", "confirmation": b"", "llm_thresholds": "{}", "annotations_snapshot_id": 1,
        "metrics": json.dumps(metrics),
    }  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=filled.schema("safety_classifier"))
    filled.replace_partition("safety_classifier", [batch], written_by(UNPARTITIONED))
    card = compile_card(PLANS["refuseweb"], filled, QUERIES)
    assert (card.precision.confirmed, card.precision.judged) == (8, 10)
