"""Answers are asked once: what is kept is not asked again, and a key changes with all that shapes an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from safety_assets.evaluation.answers import RawAnswer, answer_key, generate_answers
from safety_assets.evaluation.errors import AnswerError
from safety_assets.evaluation.lake_answers import LakeEvaluationAnswers, read_answers
from safety_assets.evaluation.plan import Attack
from tests.evaluation.examples import CELL, MemoryStore, request

SETTINGS = {"strategy": "greedy", "max_new_tokens": 8}


class Speaker:
    """Says back the bytes it was asked, and counts."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.asked, self.fail_after = 0, fail_after

    def __call__(self, prompts):
        if self.fail_after is not None and self.asked >= self.fail_after:
            raise RuntimeError("killed")
        self.asked += len(prompts)
        return [RawAnswer(bytes(ids).decode(), len(ids), "stop") for ids in prompts]


def run(requests, decode, store, **other):
    named = {"checkpoint_digest": "model-1", "settings": SETTINGS, "chunk": 2, **other}
    return list(generate_answers(requests, decode, store, **named))


def test_answers_come_in_order_and_a_rerun_asks_nothing():
    store, speaker = MemoryStore(), Speaker()
    requests = [request(f"p{at}", text=f"question {at}") for at in range(5)]
    first = run(requests, speaker, store)
    assert [found.text for found in first] == [f"question {at}" for at in range(5)]
    assert run(requests, speaker, store) == first
    assert speaker.asked == 5


def test_a_killed_run_goes_on_where_it_was():
    store = MemoryStore()
    requests = [request(f"p{at}", text=f"question {at}") for at in range(6)]
    with pytest.raises(RuntimeError):
        run(requests, Speaker(fail_after=4), store)
    again = Speaker()
    assert len(run(requests, again, store)) == 6
    assert again.asked == 2


@pytest.mark.parametrize(
    "changed",
    [
        ("model-2", SETTINGS, request()),
        ("model-1", {**SETTINGS, "max_new_tokens": 9}, request()),
        ("model-1", SETTINGS, request(cell=replace(CELL, attack=Attack.PREFILL))),
        ("model-1", SETTINGS, request(text="Say something else.")),
        ("model-1", SETTINGS, request(prefill="Sure")),
        ("model-1", SETTINGS, replace(request(), prompt_ids=(1, 2))),
    ],
)
def test_a_key_changes_with_all_that_shapes_the_answer(changed):
    assert answer_key(*changed) != answer_key("model-1", SETTINGS, request())


def test_names_shape_no_answer_but_are_kept_up_to_date():
    store, speaker = MemoryStore(), Speaker()
    run([request()], speaker, store)
    (renamed,) = run([request("other", cell=replace(CELL, set_name="copy"))], speaker, store)
    assert (renamed.prompt_id, renamed.set_name, speaker.asked) == ("other", "copy", 1)


def test_a_missing_answer_is_an_error_and_nothing_is_kept():
    store = MemoryStore()
    with pytest.raises(AnswerError, match="0 answers to 1 prompts of instruct/greedy/tiny"):
        run([request()], lambda prompts: [], store)
    assert not store.kept


def test_the_lake_keeps_answers_for_later_judges(lake, written_by):
    requests = [request(f"p{at}", text=f"question {at}", prefill="Sure") for at in range(3)]
    first = run(requests, Speaker(), LakeEvaluationAnswers(lake, written_by("raw")))
    again = Speaker()
    assert run(requests, again, LakeEvaluationAnswers(lake, written_by("raw"))) == first
    assert again.asked == 0
    assert sorted(read_answers(lake, "raw"), key=lambda found: found.prompt_id) == first
    assert list(read_answers(lake, "other")) == []
