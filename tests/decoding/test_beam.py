"""Plain beam search agrees with a naive one, and with the one of transformers."""

from __future__ import annotations

import functools

import pytest
import torch
from transformers import AutoModelForCausalLM

from safety_assets.decoding.causal_model import open_causal_model
from safety_assets.decoding.decode import decode
from safety_assets.decoding.settings import Decoding, Strategy
from tests.decoding.conftest import END, OTHER_END, VOCABULARY
from tests.support.naive_safe_beam import naive_beam, next_tokens_of

PROMPT = [5, 9, 40, 7]
ENDS = {END, OTHER_END}


@functools.cache
def naive_next_tokens(folder):
    return next_tokens_of(AutoModelForCausalLM.from_pretrained(folder).eval(), VOCABULARY)


def beam(**settings) -> Decoding:
    return Decoding(Strategy.BEAM, **settings)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("beams", [1, 2, 4])
def test_a_naive_search_without_cache_gives_the_same_tokens(saved_model, beams, length_penalty):
    finishes = []
    for seed in range(6):
        folder = saved_model(seed)
        next_tokens = naive_next_tokens(folder)
        settings = beam(beams=beams, max_new_tokens=10, length_penalty=length_penalty)
        (found,) = decode(open_causal_model(folder), [PROMPT], settings)
        tokens, ended, total = naive_beam(next_tokens, PROMPT, ENDS, beams, 10, length_penalty)
        assert list(found.token_ids) == (tokens[:-1] if ended else tokens)
        assert found.finish == ("stop" if ended else "length")
        assert found.log_probability == pytest.approx(total, abs=1e-3)
        finishes.append(found.finish)
    if beams > 1:
        assert set(finishes) == {"stop", "length"}, "both ways to finish must have been seen"


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_transformers_gives_the_same_tokens(saved_model, length_penalty):
    for seed in range(8):
        folder = saved_model(seed)
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
        whole = theirs.generate(
            torch.tensor([PROMPT]),
            attention_mask=torch.ones(1, len(PROMPT)),
            num_beams=4,
            do_sample=False,
            max_new_tokens=10,
            length_penalty=length_penalty,
            early_stopping=True,
        )[0, len(PROMPT) :].tolist()
        first_end = next((place for place, token in enumerate(whole) if token in ENDS), len(whole))
        settings = beam(beams=4, max_new_tokens=10, length_penalty=length_penalty)
        (found,) = decode(open_causal_model(folder), [PROMPT], settings)
        assert list(found.token_ids) == whole[:first_end]


def test_one_beam_without_ends_is_greedy(saved_model):
    model = open_causal_model(saved_model(ends=()))
    greedy, beamed = (
        decode(model, [PROMPT], Decoding(strategy, beams=1, max_new_tokens=12))
        for strategy in (Strategy.GREEDY, Strategy.BEAM)
    )
    assert greedy == beamed


def test_a_step_is_one_forward_pass_of_k_sequences_and_the_last_token_needs_none(saved_model):
    model = open_causal_model(saved_model(ends=()))
    decode(model, [PROMPT], beam(beams=3, max_new_tokens=7))
    assert (model.forwards, model.sequences) == (7, 1 + 3 * 6)


def test_an_answer_that_has_not_ended_fills_the_limit(saved_model):
    for seed in range(6):
        model = open_causal_model(saved_model(seed))
        for found in decode(model, [PROMPT, [7], [30, 8]], beam(beams=2, max_new_tokens=9)):
            assert found.finish == "stop" or len(found.token_ids) == 9


def test_more_beams_than_tokens(saved_model):
    (found,) = decode(open_causal_model(saved_model(ends=())), [PROMPT], beam(beams=100, max_new_tokens=3))
    assert len(found.token_ids) == 3
