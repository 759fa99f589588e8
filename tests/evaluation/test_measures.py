"""Rows of an evaluation: counted from kept answers and judgements, and fit for their tables."""

from __future__ import annotations

import pytest

from safety_assets.batches import record_batches
from safety_assets.evaluation.judges import (
    ClassifierJudge,
    RefusalPrefixJudge,
    judge_answers,
    judgement_row,
)
from safety_assets.evaluation.measures import (
    Measure,
    attack_rows,
    evaluation_row,
    over_refusal_rows,
    overlap_rows,
    perplexity_row,
    task_rows,
)
from safety_assets.evaluation.overlap import prompt_overlap
from safety_assets.evaluation.plan import Stage
from safety_assets.evaluation.tasks import TaskScore
from safety_assets.prompts import TAG_TOKEN
from tests.evaluation.examples import answer, prompt

ANSWERS = [
    answer("rude words", "a"),
    answer("I can't help with that.", "b"),
    answer(f"kind words {TAG_TOKEN} rude words", "c"),
    answer("unscorable words", "d"),
]


def levels(texts):
    return [None if "unscorable" in text else 4 if "rude" in text else 0 for text in texts]


def judged(*judges):
    pairs = [(found, "A request") for found in ANSWERS]
    return [judgement for judge in judges for judgement in judge_answers(pairs, judge)]


CLASSIFIER = ClassifierJudge(levels, "1")


def test_attack_rows_count_parts_and_unjudged_apart_and_compare_judges():
    rows = attack_rows("raw", ANSWERS, judged(CLASSIFIER, RefusalPrefixJudge()))
    found = {(row.judge, row.part): row for row in rows}
    assert len(rows) == 4
    whole, before = found["classifier", "whole"], found["classifier", "before_own_tag"]
    assert (whole.total, whole.counted, whole.unjudged) == (4, 2, 1)
    assert (before.counted, before.unjudged) == (1, 1)
    assert whole.value == pytest.approx(2 / 3)
    assert whole.worst == pytest.approx(3 / 4)
    assert (whole.compared, whole.disagreement) == (3, 0)
    assert whole.other_judge.startswith("refusal-prefix")


def test_an_answer_without_judgement_counts_as_unjudged():
    rows = attack_rows("raw", ANSWERS, judged(CLASSIFIER)[:2])
    assert {(row.total, row.unjudged) for row in rows} == {(4, 3)}
    assert rows[0].other_judge == "" and rows[0].kappa is None


def test_answers_of_two_checkpoints_are_never_counted_together():
    older = answer("rude words", "e", checkpoint_digest="model-0")
    rows = attack_rows("raw", [*ANSWERS, older], judged(CLASSIFIER))
    assert {(row.checkpoint_digest, row.total) for row in rows} == {("model-1", 4), ("model-0", 1)}


def test_a_task_that_was_never_right_still_has_an_interval():
    (row,) = task_rows("raw", "m", Stage.BASE, {"t": TaskScore("acc", 0.0, 0.0, 20)})
    assert (row.counted, row.total, row.low) == (0, 20, 0)
    assert row.high == pytest.approx(0.1611, abs=1e-4)


def test_all_rows_fit_their_tables(lake, written_by):
    overlaps = prompt_overlap([prompt()], {"web": ["nothing"]})
    rows = [
        *attack_rows("raw", ANSWERS, judged(CLASSIFIER, RefusalPrefixJudge())),
        *over_refusal_rows("raw", [(found, "A request") for found in ANSWERS]),
        *overlap_rows("raw", "model-1", overlaps),
        *task_rows("raw", "model-1", Stage.BASE, {"t": TaskScore("acc", 0.5, None, 4)}),
        perplexity_row("raw", "model-1", Stage.BASE, 12.5, 1_000),
    ]
    tables = {
        "safety_evaluation": [evaluation_row(row) for row in rows],
        "evaluation_judgements": [judgement_row("raw", found) for found in judged(CLASSIFIER)],
    }
    for table, records in tables.items():
        schema = lake.schema(table)
        assert set(records[0]) == set(schema.names)
        lake.replace_partition(table, record_batches(records, schema), written_by("raw"))
        with lake.read(table) as reader:
            assert reader.read_all().num_rows == len(records)
    assert {row.measure for row in rows} == set(Measure)
