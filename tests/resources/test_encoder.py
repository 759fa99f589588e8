"""The encoder: what sentence-transformers would give, window by window, whatever the batches; no character is lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.encoder import TextEncoder, cut_windows, open_encoder
from resources.errors import ModelStoreError
from resources.profile import EncoderProfile, safety_home

MINILM = EncoderProfile(model="package:all-MiniLM-L6-v2")
SENTENCES = (
    "The library opens at nine.",
    "Rain fell on fifty-one days between June and September, and the harvest was poor.",
    "Café, naïve, Straße — and 東京 too.",
    "x = [i ** 2 for i in range(10)]  # squares",
)


@pytest.fixture(scope="module")
def encoder(packaged_models) -> TextEncoder:
    return open_encoder(MINILM, safety_home() / "models")


@pytest.fixture
def without_forward_pass(encoder, monkeypatch):
    """Windows are cut as ever, but no embedding is computed."""
    monkeypatch.setattr(encoder, "_forward", lambda windows: np.zeros((len(windows), 384), np.float32))
    return encoder


def without_space(text: str) -> str:
    return "".join(text.split())


def test_a_text_of_one_window_is_embedded_as_sentence_transformers_does(encoder):
    encoded = encoder.encode(SENTENCES)
    expected = encoder._model.encode(list(SENTENCES))
    assert encoded.embeddings.dtype == np.float32
    assert encoded.document.tolist() == [0, 1, 2, 3]
    assert np.abs(encoded.embeddings - expected).max() < 1e-5
    assert np.allclose(np.linalg.norm(encoded.embeddings, axis=1), 1, atol=1e-5)


def test_each_window_of_a_long_text_is_embedded_as_if_it_were_alone(encoder):
    text = " ".join(SENTENCES[:2] * 25)
    encoded = encoder.encode([text])
    assert len(encoded) > 1
    assert np.abs(encoded.embeddings - encoder._model.encode(encoded.texts([text]))).max() < 1e-5


def test_batches_and_order_do_not_change_an_embedding(encoder, packaged_models):
    texts = [" ".join(SENTENCES[:2] * repeats) for repeats in (1, 9, 3, 20, 2)]
    small = TextEncoder(encoder._model, packaged_models["all-MiniLM-L6-v2"], batch_tokens=256)
    forward, backward = encoder.encode(texts), small.encode(texts[::-1])
    for index in range(len(texts)):
        mine = forward.embeddings[forward.document == index]
        theirs = backward.embeddings[backward.document == len(texts) - 1 - index]
        assert np.abs(mine - theirs).max() < 1e-5


def test_padded_batches_stay_within_their_tokens(encoder, packaged_models, monkeypatch):
    small = TextEncoder(encoder._model, packaged_models["all-MiniLM-L6-v2"], batch_tokens=600)
    sizes = []

    def measure(windows):
        sizes.append(len(windows) * max(map(small._padded, windows)))
        return np.zeros((len(windows), 384), np.float32)

    monkeypatch.setattr(small, "_forward", measure)
    small.encode([" ".join(SENTENCES[:2] * repeats) for repeats in range(1, 30)])
    assert max(sizes) <= 600


def test_a_query_prefix_counts_in_every_window(encoder, packaged_models):
    prefixed = TextEncoder(
        encoder._model, packaged_models["all-MiniLM-L6-v2"], batch_tokens=4096, query_prefix="query: "
    )
    expected = encoder._model.encode([SENTENCES[0]], prompt="query: ")
    assert prefixed.text_tokens < encoder.text_tokens
    assert np.abs(prefixed.encode(SENTENCES[:1]).embeddings - expected).max() < 1e-5


def test_special_tokens_in_a_page_are_plain_words(without_forward_pass):
    encoded = without_forward_pass.encode(["[SEP]", "[CLS] [MASK]"])
    assert (encoded.tokens >= 3).all()


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b"])
def test_a_text_without_a_token_has_no_window(encoder, text):
    encoded = encoder.encode([text, SENTENCES[0], text])
    assert encoded.document.tolist() == [1]
    assert encoder.encode([text]).embeddings.shape == (0, encoder.dimension)


def test_no_text_has_no_window(encoder):
    assert len(encoder.encode([])) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=4), st.integers(1, 40)
)
def test_windows_hold_every_character_once_and_in_order(encoder, texts, most):
    encoded = _spans_only(encoder, texts, most)
    assert (encoded.tokens <= most).all() and (encoded.tokens >= 1).all()
    for index, text in enumerate(texts):
        own = np.flatnonzero(encoded.document == index)
        if len(own):
            pieces = [text[encoded.char_start[row] : encoded.char_end[row]] for row in own]
            assert without_space("".join(pieces)) == without_space(text)
            assert (encoded.char_start[own][1:] >= encoded.char_end[own][:-1]).all()


def _spans_only(encoder: TextEncoder, texts: list[str], most: int):
    forward = encoder._forward
    encoder._forward = lambda windows: np.zeros((len(windows), encoder.dimension), np.float32)
    try:
        return encoder.encode(texts, max_tokens=most)
    finally:
        encoder._forward = forward


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=400), st.integers(1, 60))
def test_cuts_are_never_further_apart_than_a_window(tokens, limit):
    offsets, at = [], 0
    for spaced, length in tokens:
        at += spaced
        offsets.append((at, at + length))
        at += length
    cuts = cut_windows(np.array(offsets).reshape(-1, 2), limit)
    assert cuts[0] == 0 and cuts[-1] == len(tokens)
    assert all(0 < last - first <= limit for first, last in pairwise(cuts))


def test_a_text_a_little_longer_than_a_window_is_cut_in_halves():
    words = np.array([(5 * index, 5 * index + 4) for index in range(260)])
    assert cut_windows(words, 254) == [0, 130, 260]


def test_a_cut_falls_between_words():
    pieces = np.array([(4 * index + index // 3, 4 * index + index // 3 + 4) for index in range(300)])
    assert all(cut % 3 == 0 for cut in cut_windows(pieces, 254))


@pytest.mark.parametrize("text", ["word " * 400_000, "a" * 2_000_000, "文" * 700_000])
def test_two_megabytes_are_one_text_among_others(without_forward_pass, text):
    encoded = without_forward_pass.encode([SENTENCES[0], text])
    assert encoded.document[0] == 0 and encoded.char_end[-1] == len(text.rstrip())
    assert encoded.tokens.max() <= without_forward_pass.text_tokens


def test_the_callers_threads_are_left_alone(encoder):
    before = torch.get_num_threads()
    encoder.encode([" ".join(SENTENCES * 100)])
    assert torch.get_num_threads() == before


def test_a_folder_without_a_model_is_named_with_the_remedy(tmp_path: Path):
    with pytest.raises(ModelStoreError, match=r"config\.json"):
        open_encoder(EncoderProfile(model=str(tmp_path)), tmp_path)
