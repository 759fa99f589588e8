"""The laws of the one path of language-model work, over a real lake and a server that counts what it is
asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.language_model import FinishReason, Message, Prompt, Sampling
from safety_assets.answers import LakeAnswers
from safety_assets.generation import Ask, Usage, generate, request_key, score_choices
from tests.support.dummy_server import answer_to, dummy_server
from tests.support.generation_run import PARTITION, asks, dummy_model
from tests.support.scripted_model import MemoryAnswers, ScriptedModel


@pytest.fixture
def server():
    with dummy_server() as running:
        yield running


@pytest.fixture
def model(server):
    opened = dummy_model(server.url)
    yield opened
    opened.close()


@pytest.fixture
def store(lake, written_by):
    return LakeAnswers(lake, written_by(PARTITION))


def question(text: str, **sampling) -> Ask:
    return Ask(f"about {text}", "t@1", Prompt((Message("user", text),)), Sampling(**sampling))


def rows(lake, table: str) -> list[dict]:
    with lake.read(table) as reader:
        return reader.read_all().to_pylist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=40), st.integers(1, 9), st.integers(0, 40))
def test_order_is_kept_each_is_answered_once_and_nothing_is_asked_twice(numbers, chunk, already):
    model = ScriptedModel(lambda request: "re: " + request.prompt.messages[0].content)
    memory, usage = MemoryAnswers(), Usage()
    given_asks = [question(str(number)) for number in numbers]
    list(generate(given_asks[:already], model, memory, Usage(), chunk=chunk))
    yielded = list(generate(given_asks, model, memory, usage, chunk=chunk))
    assert [ask for ask, _ in yielded] == given_asks
    assert [answer.text for _, answer in yielded] == [f"re: {number}" for number in numbers]
    assert Counter(request.request_id for request in model.asked) == {
        request_key(model, ask): 1 for ask in given_asks
    }
    assert usage.asked + usage.reused == len(numbers)


def test_answers_are_in_the_lake_when_they_are_yielded_and_reused_from_there(server, model, store, lake):
    usage = Usage()
    stream = generate(asks(10), model, store, usage, chunk=4)
    next(stream)
    assert len(rows(lake, "generations")) == 4
    assert sum(server.asked.values()) == 4
    rest = list(stream)
    assert [ask.document_id for ask, _ in rest] == [f"document-{number}" for number in range(1, 10)]
    again = Usage()
    answers = list(generate(asks(10), model, store, again))
    assert [answer.text for _, answer in answers] == [answer_to(f"question {number}") for number in range(10)]
    assert (again.asked, again.reused) == (0, 10)
    assert sum(server.asked.values()) == 10
    assert {(row["model"], row["model_revision"], row["shard"]) for row in rows(lake, "generations")} == {
        ("dummy", "c0ffee", PARTITION)
    }


def test_duplicates_are_asked_once(server, model, store, lake):
    usage = Usage()
    answers = list(generate([question("same"), question("other"), question("same")], model, store, usage))
    assert [answer.text for _, answer in answers] == [answer_to(text) for text in ("same", "other", "same")]
    assert server.asked == {"same": 1, "other": 1}
    assert len(rows(lake, "generations")) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda ask: replace(ask, template="t@2"),
        lambda ask: replace(ask, prompt=replace(ask.prompt, prefix="So")),
        lambda ask: replace(ask, sampling=replace(ask.sampling, seed=1)),
        lambda ask: replace(ask, sampling=replace(ask.sampling, json_schema="{}")),
    ],
    ids=["template", "prefix", "seed", "schema"],
)
def test_what_shapes_an_answer_changes_its_key_and_nothing_else_is_asked_anew(server, model, store, change):
    before = [question("a"), question("b")]
    list(generate(before, model, store, Usage()))
    usage = Usage()
    list(generate([change(before[0]), before[1]], model, store, usage))
    assert (usage.asked, usage.reused) == (1, 1)
    assert server.asked == {"a": 2, "b": 1}


def test_another_model_or_revision_answers_for_itself():
    ask = question("a")
    models = [SimpleNamespace(name=name, revision=revision) for name, revision in ("m1", "m2", "n1")]
    assert len({request_key(model, ask) for model in models}) == 3
    assert len({request_key(models[0], ask, choices) for choices in ((), ("0",), ("0", "1"))}) == 3


def test_failed_requests_are_yielded_but_not_kept(server, model, store, lake):
    usage = Usage()
    given_asks = [question("fine"), question("<<do:500:3>>"), question("<<do:truncate>>")]
    answers = list(generate(given_asks, model, store, usage))
    assert [answer.finish_reason for _, answer in answers] == [
        FinishReason.STOP,
        FinishReason.FAILED,
        FinishReason.LENGTH,
    ]
    assert (usage.asked, usage.failed) == (3, 1)
    assert len(rows(lake, "generations")) == 2
    # Two attempts failed; the first of the next run does too, the second does not.
    again = dict(generate(given_asks, model, store, usage))
    assert again[given_asks[1]].text == answer_to("<<do:500:3>>")
    assert server.asked == {"fine": 1, "<<do:500:3>>": 4, "<<do:truncate>>": 1}


def test_scores_are_kept_but_not_those_that_are_missing(server, model, store, lake):
    usage = Usage()
    given_asks = [question("a"), question("unlisted"), question("b"), question("a")]
    scored = list(score_choices(given_asks, ["0", "3"], model, store, usage, chunk=3))
    assert [ask for ask, _ in scored] == given_asks
    values = np.stack([row for _, row in scored])
    assert np.isnan(values[1]).all()
    np.testing.assert_allclose(values[[0, 2, 3]], [[-1, -4]] * 3)
    assert len(rows(lake, "choice_scores")) == 2
    list(score_choices(given_asks, ["0", "3"], model, store, usage))
    assert server.asked == {"a": 1, "unlisted": 2, "b": 1}
    list(score_choices(given_asks[:1], ["0", "1"], model, store, usage))
    assert server.asked["a"] == 2


def test_each_partition_keeps_its_own_answers(server, model, store, lake, written_by):
    list(generate(asks(2), model, store, Usage()))
    list(generate(asks(2), model, LakeAnswers(lake, written_by("shard-1")), Usage()))
    assert sum(server.asked.values()) == 4
    assert Counter(row["shard"] for row in rows(lake, "generations")) == {PARTITION: 2, "shard-1": 2}
