"""A model behind a server: every way an answer or its transport can go wrong."""

from __future__ import annotations

import time

import numpy as np
import pytest

from resources.errors import LanguageModelError
from resources.language_model import FinishReason, GenerationRequest, Message, Prompt, Sampling
from resources.openai_model import OpenAIModel
from resources.openai_transport import OpenAITransport
from tests.support.dummy_server import CONTEXT_TOKENS, REFUSAL, answer_to, dummy_server


@pytest.fixture
def server():
    with dummy_server() as running:
        yield running


@pytest.fixture
def open_model():
    opened = []

    def make(url, *, model="dummy", timeout_s=10.0, retries=3, api_key_env=None, **settings):
        transport = OpenAITransport(
            url, api_key_env=api_key_env, timeout_s=timeout_s, retries=retries, backoff_s=0.01
        )
        opened.append(OpenAIModel(model, transport, **settings))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def ask(question, *, number=0, prefix="", **sampling):
    return GenerationRequest(f"r{number}", Prompt((Message("user", question),), prefix), Sampling(**sampling))


def only(completions):
    (completion,) = completions
    return completion


def test_every_request_is_answered_once_and_no_more_are_under_way_than_allowed(server, open_model):
    server.delay_s = 0.02
    model = open_model(server.url, concurrency=8)
    requests = [ask(f"question {number}", number=number) for number in range(100)]
    completions = {completion.request_id: completion for completion in model.generate(requests)}
    assert {key: done.text for key, done in completions.items()} == {
        request.request_id: answer_to(request.prompt.messages[0].content) for request in requests
    }
    assert sum(server.asked.values()) == 100
    assert 4 <= server.most_at_once <= 8


def test_a_completion_comes_while_others_are_still_awaited(server, open_model):
    model = open_model(server.url)
    first = next(model.generate([ask("<<do:stall:30>>", number=1), ask("quick", number=2)]))
    assert first.request_id == "r2"


@pytest.mark.parametrize("trouble", ["500:2", "503:2", "429:2", "drop:2"])
def test_trouble_on_the_wire_is_tried_again(server, open_model, trouble):
    question = f"<<do:{trouble}>>"
    completion = only(open_model(server.url).generate([ask(question)]))
    assert completion.text == answer_to(question)
    assert server.asked[question] == 3


def test_a_stalled_attempt_is_given_up_and_only_its_request_fails(server, open_model):
    model = open_model(server.url, timeout_s=0.3, retries=1)
    done = {
        each.request_id: each for each in model.generate([ask("<<do:stall>>", number=1), ask("ok", number=2)])
    }
    assert done["r1"].finish_reason is FinishReason.FAILED
    assert done["r2"].finish_reason is FinishReason.STOP
    assert server.asked["<<do:stall>>"] == 2


@pytest.mark.parametrize("trouble", ["400", "422", "broken", "empty", "hollow"])
def test_an_answer_that_is_no_completion_fails_without_being_asked_again(server, open_model, trouble):
    question = f"<<do:{trouble}>> secret words of a page"
    completion = only(open_model(server.url).generate([ask(question)]))
    assert completion.finish_reason is FinishReason.FAILED
    assert completion.error
    assert "secret" not in completion.error
    assert server.asked[question] == 1


@pytest.mark.parametrize(
    ("command", "finish_reason", "text"),
    [
        ("truncate", FinishReason.LENGTH, answer_to("<<do:truncate>>")),
        ("refuse", FinishReason.STOP, REFUSAL),
        ("filter", FinishReason.STOP, ""),
        ("too_long", FinishReason.TOO_LONG, ""),
    ],
)
def test_how_an_answer_ended_is_recorded(server, open_model, command, finish_reason, text):
    completion = only(open_model(server.url).generate([ask(f"<<do:{command}>>")]))
    assert (completion.finish_reason, completion.text) == (finish_reason, text)
    assert server.asked[f"<<do:{command}>>"] == 1


def test_a_refusal_is_not_hidden_behind_the_begun_answer(server, open_model):
    completion = only(open_model(server.url).generate([ask("<<do:refuse>>", prefix="Sure: ")]))
    assert completion.text == REFUSAL


def test_sampling_and_schema_reach_the_server(server, open_model):
    settings = {"max_new_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ("\n",)}
    request = ask("q", repetition_penalty=1.2, json_schema='{"type": "object"}', prefix="{", **settings)
    only(open_model(server.url).generate([request]))
    (body,) = server.bodies
    sent = {
        name: body[name]
        for name in ("max_tokens", "temperature", "top_p", "seed", "stop", "repetition_penalty")
    }
    assert sent == {
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["\n"],
        "repetition_penalty": 1.2,
    }
    assert body["response_format"]["json_schema"] == {
        "name": "answer",
        "schema": {"type": "object"},
        "strict": True,
    }
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_server_that_continues_is_given_the_begun_answer(server, open_model):
    completion = only(open_model(server.url).generate([ask("q", prefix="In short: ")]))
    (body,) = server.bodies
    assert body["messages"][-1] == {"role": "assistant", "content": "In short: "}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert completion.text == "In short: " + answer_to("q")


@pytest.mark.parametrize(
    ("prefix", "said", "text"),
    [
        ("Score: ", "Score: 3", "Score: 3"),
        ("Score: ", "Score:3", "Score: 3"),
        ("Score: ", "3", "Score: 3"),
        ("Once", "Once.upon", "Once.upon"),
        ("Once", "upon", "Once upon"),
    ],
)
def test_where_the_server_cannot_continue_the_beginning_is_asked_for(server, open_model, prefix, said, text):
    server.words = said
    completion = only(open_model(server.url, supports_prefix=False).generate([ask("q", prefix=prefix)]))
    (body,) = server.bodies
    assert body["messages"] == [{"role": "user", "content": f"q\n\nBegin your answer with: {prefix}"}]
    assert completion.text == text


def test_a_server_that_is_down_is_named_with_the_remedy(open_model):
    model = open_model("http://user:password@127.0.0.1:9/v1")
    with pytest.raises(LanguageModelError, match=r"127\.0\.0\.1:9/v1 does not answer: start it") as raised:
        list(model.generate([ask("q")]))
    assert "password" not in str(raised.value)


def test_requests_fail_when_the_server_dies_midway_and_the_next_call_raises(server, open_model):
    server.delay_s = 0.05
    model = open_model(server.url, concurrency=2, retries=1)
    completions = []
    for completion in model.generate([ask(f"q{number}", number=number) for number in range(20)]):
        completions.append(completion)
        if len(completions) == 4:
            server.stop()
    reasons = [completion.finish_reason for completion in completions]
    assert len(reasons) == 20
    assert reasons.count(FinishReason.STOP) >= 4
    assert FinishReason.FAILED in reasons
    with pytest.raises(LanguageModelError, match="does not answer"):
        list(model.generate([ask("again"), ask("and again", number=1)]))
    with pytest.raises(LanguageModelError, match="does not answer"):
        model.score_choices([Prompt((Message("user", "q"),))], ["0"])


def test_a_model_that_is_not_served_is_named(server, open_model):
    with pytest.raises(LanguageModelError, match="serves dummy, not other"):
        list(open_model(server.url, model="other").generate([ask("q")]))


def test_the_key_comes_from_the_environment_and_a_wrong_one_names_its_variable(open_model, monkeypatch):
    with dummy_server(key="right") as server:
        monkeypatch.setenv("A_KEY", "right")
        assert only(open_model(server.url, api_key_env="A_KEY").generate([ask("q")])).text == answer_to("q")
        monkeypatch.setenv("A_KEY", "very-wrong")
        with pytest.raises(LanguageModelError, match="set A_KEY") as raised:
            list(open_model(server.url, api_key_env="A_KEY").generate([ask("q")]))
        assert "very-wrong" not in str(raised.value)


def test_leaving_early_cancels_what_is_under_way(server, open_model):
    server.delay_s = 0.05
    model = open_model(server.url, concurrency=2)
    stream = model.generate([ask(f"q{number}", number=number) for number in range(50)])
    next(stream)
    stream.close()
    time.sleep(0.3)
    assert sum(server.asked.values()) < 12


def test_choices_are_read_from_the_listed_tokens(server, open_model):
    prompts = [Prompt((Message("user", text),)) for text in ("a", "unlisted", "<<do:400>>", "b")]
    scores = open_model(server.url).score_choices(prompts, ["0", "3", "5"])
    assert scores.dtype == np.float32
    # 5 is not listed: the smallest listed, -4, less one
    np.testing.assert_allclose(scores[[0, 3]], [[-1, -4, -5]] * 2)
    assert np.isnan(scores[[1, 2]]).all()


def test_a_choice_of_two_tokens_is_refused(server, open_model):
    with pytest.raises(ValueError, match="one token"):
        open_model(server.url).score_choices([Prompt((Message("user", "q"),))], ["two words"])


def test_what_the_server_tells_of_itself(server, open_model):
    model = open_model(server.url, revision="v1")
    assert (model.name, model.revision, model.context_tokens) == ("dummy", "c0ffee@v1", CONTEXT_TOKENS)
    assert model.count_tokens(["three little words", "one"]) == [3, 1]


def test_a_server_that_tells_nothing(open_model):
    with dummy_server(like_vllm=False) as server:
        model = open_model(server.url, context_tokens=99)
        assert (model.revision, model.context_tokens) == ("unpinned", 99)
        assert model.count_tokens(["abcdef", ""]) == [2, 0]
