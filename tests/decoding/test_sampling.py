"""Greedy and top-k: prompts of different lengths decoded together answer as they do alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from safety_assets.decoding.causal_model import open_causal_model
from safety_assets.decoding.decode import decode
from safety_assets.decoding.ranking import likeliest
from safety_assets.decoding.settings import Decoding, Strategy
from tests.decoding.conftest import END, OTHER_END, VOCABULARY

PROMPTS = [[5], [9, 40, 7, 11, 30, 12, 50], [3, 4], [5, 60, 8, 20], [7, 7, 7], [33]]


@pytest.mark.parametrize("strategy", [Strategy.GREEDY, Strategy.TOP_K])
@pytest.mark.parametrize("batch", [2, 4, 16])
def test_together_is_as_alone(saved_model, strategy, batch):
    ways = set()
    for seed in range(4):
        model = open_causal_model(saved_model(seed))
        decoding = Decoding(strategy, max_new_tokens=12, top_k=5, seed=seed, batch=batch)
        together = decode(model, PROMPTS, decoding)
        alone = [decode(model, [prompt], decoding)[0] for prompt in PROMPTS]
        for found, own in zip(together, alone, strict=True):
            assert (found.token_ids, found.finish) == (own.token_ids, own.finish)
            assert found.log_probability == pytest.approx(own.log_probability, abs=1e-3)
            assert found.tag_mass == pytest.approx(own.tag_mass, abs=1e-4)
            ways.add(found.finish)
    assert ways == {"stop", "length"}


def test_greedy_is_what_transformers_gives(saved_model):
    for seed in range(4):
        folder = saved_model(seed)
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
        model = open_causal_model(folder)
        for prompt, found in zip(PROMPTS, decode(model, PROMPTS, Decoding(max_new_tokens=12)), strict=True):
            whole = theirs.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=12)[0]
            answer = [t for t in whole[len(prompt) :].tolist() if t not in (END, OTHER_END)]
            assert list(found.token_ids) == answer


def test_the_same_seed_repeats_and_another_differs(saved_model):
    model = open_causal_model(saved_model())
    first, again, other = (
        decode(model, PROMPTS, Decoding(Strategy.TOP_K, max_new_tokens=12, temperature=2.0, seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_order_of_prompts_does_not_matter(saved_model):
    model = open_causal_model(saved_model())
    decoding = Decoding(Strategy.TOP_K, max_new_tokens=12, batch=2)
    forwards = decode(model, PROMPTS, decoding)
    backwards = decode(model, PROMPTS[::-1], decoding)
    assert [found.token_ids for found in forwards] == [found.token_ids for found in backwards[::-1]]


def test_top_1_is_greedy(saved_model):
    model = open_causal_model(saved_model())
    top = decode(model, PROMPTS, Decoding(Strategy.TOP_K, top_k=1, max_new_tokens=12))
    assert top == decode(model, PROMPTS, Decoding(max_new_tokens=12))


def test_only_the_likeliest_k_are_drawn_and_as_often_as_they_should(saved_model):
    model = open_causal_model(saved_model(ends=()))
    decoding = {"strategy": Strategy.TOP_K, "top_k": 3, "max_new_tokens": 1}
    drawn = [decode(model, [[5]], Decoding(seed=seed, **decoding))[0] for seed in range(400)]
    values, tokens = likeliest(model.step(torch.tensor([[5]]), model.new_cache(1)), 3)
    shares = torch.softmax(values[0], 0).tolist()
    for token, share in zip(tokens[0].tolist(), shares, strict=True):
        assert sum(found.token_ids == (token,) for found in drawn) / 400 == pytest.approx(share, abs=0.1)
    assert {token for found in drawn for token in found.token_ids} <= set(tokens[0].tolist())


def test_log_probability_is_that_of_the_whole_answer_and_its_end(saved_model):
    folder = saved_model(1)
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    for prompt, found in zip(
        PROMPTS, decode(open_causal_model(folder), PROMPTS, Decoding(max_new_tokens=12)), strict=True
    ):
        ids = torch.tensor([[*prompt, *found.token_ids]])
        with torch.inference_mode():
            values = theirs(input_ids=ids).logits[0].log_softmax(-1)
        total = sum(float(values[len(prompt) - 1 + i, token]) for i, token in enumerate(found.token_ids))
        if found.finish == "stop":
            total += float(values[-1, [END, OTHER_END]].max())
        assert found.log_probability == pytest.approx(total, abs=1e-3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 25))
def test_of_equals_the_lower_id_comes_first(levels, count):
    values, tokens = likeliest(torch.tensor([levels], dtype=torch.float32), count)
    expected = sorted(range(len(levels)), key=lambda token: (-levels[token], token))[:count]
    assert tokens[0].tolist() == expected
    assert values[0].tolist() == [levels[token] for token in expected]


def test_rows_of_an_embedding_that_are_no_tokens_are_never_chosen(saved_model):
    model = open_causal_model(saved_model(padding=64, ends=()))
    assert model.vocabulary == VOCABULARY
    for strategy in Strategy:
        decoding = Decoding(strategy, max_new_tokens=12, beams=2, temperature=5.0)
        assert all(max(found.token_ids) < VOCABULARY for found in decode(model, PROMPTS, decoding))
