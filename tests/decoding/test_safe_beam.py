"""Safe Beam Search agrees with a naive one, evaluates nothing twice, and turns away from what the tag would follow."""

from __future__ import annotations

import functools
import itertools
import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from safety_assets.decoding.causal_model import open_causal_model
from safety_assets.decoding.decode import decode
from safety_assets.decoding.settings import Decoding, DecodingError, Strategy
from tests.decoding.conftest import END, OTHER_END, TAG, VOCABULARY
from tests.support.evaluated_paths import record_paths
from tests.support.naive_safe_beam import naive_safe_beam, next_tokens_of

PROMPT = [5, 9, 40, 7]
ENDS = {END, OTHER_END}


@functools.cache
def naive_next_tokens(folder):
    return next_tokens_of(AutoModelForCausalLM.from_pretrained(folder).eval(), VOCABULARY)


def safe_beam(**settings) -> Decoding:
    return Decoding(Strategy.SAFE_BEAM, **settings)


@pytest.mark.parametrize(("beams", "candidates"), [(1, 2), (2, 2), (3, 4), (4, 3)])
def test_a_naive_search_without_cache_gives_the_same_tokens(saved_model, beams, candidates):
    for seed, length_penalty in itertools.product(range(4), (0.0, 1.0)):
        folder = saved_model(seed)
        next_tokens = naive_next_tokens(folder)
        settings = safe_beam(
            beams=beams, candidates=candidates, max_new_tokens=8, length_penalty=length_penalty
        )
        (found,) = decode(open_causal_model(folder), [PROMPT], settings)
        tokens, ended, total = naive_safe_beam(
            next_tokens, PROMPT, ENDS, TAG, beams, candidates, 8, length_penalty
        )
        assert list(found.token_ids) == (tokens[:-1] if ended else tokens)
        assert found.finish == ("stop" if ended else "length")
        assert found.log_probability == pytest.approx(total, abs=1e-3)


def test_answers_that_end_and_answers_that_do_not_are_both_among_those_compared(saved_model):
    settings = safe_beam(beams=3, candidates=4, max_new_tokens=8)
    finishes = {decode(open_causal_model(saved_model(s)), [PROMPT], settings)[0].finish for s in range(6)}
    assert finishes == {"stop", "length"}


@pytest.mark.parametrize(("beams", "candidates"), [(1, 2), (2, 3), (4, 4)])
def test_every_step_is_one_forward_pass_of_k_times_n_sequences(saved_model, beams, candidates):
    model = open_causal_model(saved_model(ends=()))
    settings = safe_beam(beams=beams, candidates=candidates, max_new_tokens=6)
    decode(model, [PROMPT], settings)
    assert (model.forwards, model.sequences) == (1 + 6, 1 + 6 * beams * candidates)


@pytest.mark.parametrize("ends", [(), (END, OTHER_END)])
def test_no_sequence_is_evaluated_twice(saved_model, ends):
    model = open_causal_model(saved_model(ends=ends))
    seen = record_paths(model)
    (found,) = decode(model, [PROMPT], safe_beam(beams=3, candidates=4, max_new_tokens=6))
    assert len(seen) == len(set(seen)) == model.sequences == 1 + 12 * (model.forwards - 1)
    assert (*PROMPT, *found.token_ids) in seen


def test_the_tag_is_never_part_of_an_answer(saved_model):
    for seed in range(6):
        model = open_causal_model(saved_model(seed, ends=()))
        # Only the tag has anything to say: often by far the likeliest token, often by far the unlikeliest.
        with torch.no_grad():
            model._model.lm_head.weight[3:] *= 0.01
        (found,) = decode(model, [PROMPT], safe_beam(beams=3, candidates=3, max_new_tokens=8))
        assert TAG not in found.token_ids and len(found.token_ids) == 8


def test_a_model_without_the_tag_is_told_which_recipes_have_it(saved_model):
    for model in (
        open_causal_model(saved_model(has_tag=False)),
        open_causal_model(saved_model(), has_tag=False),
    ):
        with pytest.raises(DecodingError, match="plus_harmfulness_tags"):
            decode(model, [PROMPT], safe_beam(max_new_tokens=4))


def test_a_vocabulary_smaller_than_k_times_n(saved_model):
    model = open_causal_model(saved_model(ends=()))
    (found,) = decode(model, [PROMPT], safe_beam(beams=9, candidates=9, max_new_tokens=4))
    assert len(found.token_ids) == 4
    assert model.sequences == 1 + 4 * (VOCABULARY - 1)


@pytest.fixture(scope="module")
def trained(saved_model):
    """A model that has learned: after 10 mostly 20 and then the tag, sometimes 30; after 30 always 31."""
    folder = saved_model(1, copy="trained")
    model = AutoModelForCausalLM.from_pretrained(folder)
    rude, kind = [10, 20, TAG, 21, TAG, 22, END], [10, 30, 31, 32, 33, 34, END]
    texts = torch.tensor([rude] * 3 + [kind])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        model(input_ids=texts, labels=texts).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return open_causal_model(folder)


def test_it_turns_away_from_what_the_tag_would_follow(trained):
    (greedy,) = decode(trained, [[10]], Decoding(max_new_tokens=8))
    (beam,) = decode(trained, [[10]], Decoding(Strategy.BEAM, beams=2, length_penalty=0, max_new_tokens=8))
    (safe,) = decode(trained, [[10]], safe_beam(beams=2, candidates=4, max_new_tokens=8))
    assert greedy.token_ids == beam.token_ids == (20, TAG, 21, TAG, 22)
    assert safe.token_ids == (30, 31, 32, 33, 34)
    assert (safe.finish, greedy.finish) == ("stop", "stop")
    assert greedy.tag_mass > 0.9 > 0.1 > safe.tag_mass


def test_the_last_token_is_looked_at_as_well(trained):
    (plain,) = decode(trained, [[10]], Decoding(max_new_tokens=1))
    (safe,) = decode(trained, [[10]], safe_beam(beams=1, candidates=4, max_new_tokens=1))
    assert (plain.token_ids, safe.token_ids) == ((20,), (30,))


def test_a_begun_answer_is_gone_on_with(trained):
    (safe,) = decode(trained, [[10, 30, 31]], safe_beam(beams=2, candidates=2, max_new_tokens=8))
    assert safe.token_ids == (32, 33, 34)
    assert math.exp(safe.log_probability) > 0.5
