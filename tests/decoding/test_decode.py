"""What is refused, and what settings mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from safety_assets.decoding.causal_model import open_causal_model
from safety_assets.decoding.decode import decode
from safety_assets.decoding.settings import Decoding, DecodingError, Strategy


@pytest.mark.parametrize("strategy", list(Strategy))
def test_ids_may_come_as_an_array_and_change_nothing(saved_model, strategy):
    model = open_causal_model(saved_model())
    decoding = Decoding(strategy, max_new_tokens=6, beams=2)
    assert decode(model, [np.array([5, 6], np.int32)], decoding) == decode(model, [[5, 6]], decoding)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_no_prompts_give_no_answers(saved_model, strategy):
    assert decode(open_causal_model(saved_model()), [], Decoding(strategy)) == []


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_prompt_may_fill_the_context_up_to_the_answer_and_no_further(saved_model, strategy):
    model = open_causal_model(saved_model(ends=()))
    decoding = Decoding(strategy, max_new_tokens=4, beams=2)
    (found,) = decode(model, [[5] * (model.context - 4)], decoding)
    assert len(found.token_ids) == 4
    with pytest.raises(DecodingError, match=r"Prompt 1 has 61 tokens.*lower max_new_tokens"):
        decode(model, [[5], [5] * (model.context - 3)], decoding)


@pytest.mark.parametrize(
    ("prompt", "message"), [([], "has 0 tokens"), ([64], "does not know"), ([-1], "does not know")]
)
def test_prompts_that_cannot_be_decoded(saved_model, prompt, message):
    with pytest.raises(DecodingError, match=message):
        decode(open_causal_model(saved_model()), [prompt], Decoding(max_new_tokens=4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "fastest"}, "choose one of greedy, top_k, beam, safe_beam"),
        ({"max_new_tokens": 0}, "1 or more"),
        ({"strategy": Strategy.TOP_K, "temperature": 0.0}, "use greedy"),
        ({"strategy": Strategy.SAFE_BEAM, "candidates": 1}, "2 or more"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(DecodingError, match=message):
        Decoding(**settings)


def test_a_strategy_may_be_given_by_name():
    assert Decoding("safe_beam").strategy is Strategy.SAFE_BEAM


def test_only_what_shapes_an_answer_is_in_its_key():
    assert Decoding(beams=2).shaping() == Decoding(beams=3, batch=1).shaping()
    assert Decoding("beam", beams=2).shaping() != Decoding("beam", beams=3).shaping()
    assert Decoding("top_k", seed=1).shaping() != Decoding("top_k", seed=2).shaping()


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_model_that_gives_no_numbers_is_refused(saved_model, strategy):
    model = open_causal_model(saved_model())
    with torch.no_grad():
        model._model.lm_head.weight[7] = float("nan")
    with pytest.raises(DecodingError, match="not numbers"):
        decode(model, [[5, 6]], Decoding(strategy, max_new_tokens=4))


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(DecodingError, match="Hugging Face format"):
        open_causal_model(tmp_path)


def test_tag_mass_is_none_without_the_tag(saved_model):
    model = open_causal_model(saved_model(has_tag=False))
    for strategy in (Strategy.GREEDY, Strategy.TOP_K, Strategy.BEAM):
        assert decode(model, [[5]], Decoding(strategy, max_new_tokens=3))[0].tag_mass is None
