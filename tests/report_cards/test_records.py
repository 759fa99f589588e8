"""The JSON of a card: the fields of the records, whole both ways, and refused when it is anything else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from safety_assets.intervals import Estimate
from safety_assets.report_cards import audits, records
from safety_assets.report_cards.card import report_card, slice_of
from safety_assets.report_cards.errors import CardError
from safety_assets.report_cards.records import ReportCard, from_json, to_json
from tests.report_cards.examples import example_card, ngram_counts

SCHEMA = json.loads((Path(records.__file__).parent / "card.schema.json").read_text("utf-8"))
EMPTY = slice_of("nothing", score_counts=[0] * 6, ngrams=ngram_counts(0, 0))
SPARSE = {"dataset": "d", "title": "D", "description": "", "project_version": "0"}


@pytest.mark.parametrize(
    "card",
    [
        example_card(),
        report_card(**SPARSE, slices=[]),
        report_card(**SPARSE, slices=[EMPTY]),
        example_card(audit=audits.not_audited("head@2")),
    ],
    ids=["full", "empty", "no rows", "not audited"],
)
def test_a_card_comes_back_from_its_json_whole(card):
    assert from_json(to_json(card)) == card


def test_the_schema_is_a_valid_one_and_names_the_fields_of_the_records():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(SCHEMA["properties"]) == [field.name for field in dataclasses.fields(ReportCard)]
    for name, record in {
        "estimate": Estimate,
        "slice": records.Slice,
        "input_table": records.InputTable,
        "model": records.Model,
        "gate": records.Gate,
        "override": records.Override,
        "precision": records.Precision,
        "comparison": records.Comparison,
        "disposition": records.Disposition,
        "category_rate": records.CategoryRate,
        "scorer_states": records.ScorerStates,
        "score_distribution": records.ScoreDistribution,
        "tally": records.Tally,
        "score_audit": audits.ScoreAudit,
        "audited_level": audits.AuditedLevel,
    }.items():
        definition = SCHEMA["$defs"][name]
        assert (
            definition["required"]
            == list(definition["properties"])
            == [f.name for f in dataclasses.fields(record)]
        )
        assert definition["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["dataset"], "../outside"),
        (["dataset"], ""),
        (["documents"], -1),
        (["documents"], 1.5),
        (["created_at"], "yesterday"),
        (["scores", "counts"], [1, 2, 3]),
        (["slices", 0, "ngram_method"], "guessed"),
        (["scores", "shares", 0, "high"], 1.2),
        (["transition", 0], [0] * 6),
        (["inputs", 0, "digest"], "short"),
        (["overrides", 0, "reason"], ""),
        (["notes", 0], "a whole document " * 100),
        (["audit", "levels", 3, "recall", "high"], 1.01),
        (["audit", "levels", 3, "level"], 6),
        (["audit", "judge"], "a whole document " * 100),
        (["audit", "surprise"], 1),
        (["surprise"], 1),
        (["format_version"], 2),
    ],
)
def test_a_value_that_the_schema_does_not_allow_is_refused_with_its_place(path, value):
    record = json.loads(to_json(example_card()))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CardError, match="Not a report card"):
        from_json(json.dumps(record))


def test_a_card_from_before_there_were_audits_is_still_one():
    record = json.loads(to_json(example_card()))
    del record["audit"]
    old = from_json(json.dumps(record))
    assert old == dataclasses.replace(example_card(), audit=None)
    assert from_json(to_json(old)) == old


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"card"', '{"dataset": "d"}'])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(CardError):
        from_json(text)


def test_a_card_that_does_not_fit_is_not_written():
    with pytest.raises(CardError, match=r"\$\.dataset"):
        to_json(example_card(dataset="../../etc/passwd"))
    broken = dataclasses.replace(
        example_card(), precision=records.Precision(1, 1, Estimate(float("nan"), 0, 1), "x")
    )
    with pytest.raises(CardError, match="number that is none"):
        to_json(broken)
