"""Where the harmfulness tag goes: only between words, at its rate, and by nothing but seed and key."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.marking.tags import split_at, tag_positions
from safety_assets.prompts import TAG_TOKEN

# Any text, and texts with more white space of all kinds than chance would give.
texts = st.text() | st.text(alphabet=st.sampled_from("ab😀é \n\t\u00a0\u2003\u3000\x1c\x85\ud800<>"))
rates = st.floats(0, 1)


@given(texts, st.text(), rates, st.integers(0, 2**40))
def test_text_cut_at_the_tags_and_joined_again_is_the_text(text, key, rate, seed):
    positions = tag_positions(text, key=key, rate=rate, seed=seed)
    assert "".join(split_at(text, positions)) == text
    assert len(split_at(text, positions)) == len(positions) + 1


@given(texts)
def test_at_rate_one_every_word_but_the_first_has_a_tag_before_its_white_space(text):
    positions = tag_positions(text, key="k", rate=1.0)
    assert positions.dtype == np.int64
    assert positions.tolist() == [match.end() for match in re.finditer(r"\S+(?=\s+\S)", text)]


@given(texts, st.text(), rates, st.integers(0, 9))
def test_tags_come_only_where_a_word_may_have_one(text, key, rate, seed):
    drawn = tag_positions(text, key=key, rate=rate, seed=seed).tolist()
    assert drawn == sorted(set(drawn))
    assert set(drawn) <= set(tag_positions(text, key=key, rate=1.0, seed=seed).tolist())


@given(texts, st.text())
def test_rate_zero_sets_no_tag(text, key):
    assert not len(tag_positions(text, key=key, rate=0.0))


@pytest.mark.parametrize("rate", [0.03, 0.05, 0.1])
def test_the_rate_lies_within_four_standard_errors(rate):
    documents, words = 200, 1_001
    text = " ".join(["word"] * words)
    drawn = [len(tag_positions(text, key=str(number), rate=rate)) for number in range(documents)]
    tries = documents * (words - 1)
    assert abs(sum(drawn) / tries - rate) < 4 * (rate * (1 - rate) / tries) ** 0.5
    # Documents differ as binomial draws do: neither all alike nor drawn whole.
    assert 0.6 < np.var(drawn) / ((words - 1) * rate * (1 - rate)) < 1.5


def test_the_usual_rate_is_five_per_cent():
    text = " ".join(["word"] * 100_001)
    assert 4_700 < len(tag_positions(text, key="k")) < 5_300


def test_the_draw_depends_on_seed_and_key_and_on_nothing_else():
    texts = {f"document {number}": " ".join(["word"] * 400) for number in range(20)}
    forwards = {key: tag_positions(text, key=key).tolist() for key, text in texts.items()}
    backwards = {key: tag_positions(text, key=key).tolist() for key, text in reversed(texts.items())}
    assert forwards == backwards
    assert len({tuple(positions) for positions in forwards.values()}) == len(texts)
    text = texts["document 0"]
    assert tag_positions(text, key="k", seed=1).tolist() != tag_positions(text, key="k", seed=2).tolist()


def test_seed_and_key_cannot_be_mistaken_for_each_other():
    text = " ".join(["word"] * 400)
    assert tag_positions(text, key="1", seed=1).tolist() != tag_positions(text, key="", seed=11).tolist()


def test_the_draw_is_the_same_in_every_version():
    text = "one two three four five six seven eight nine ten " * 4
    assert tag_positions(text, key="document", rate=0.2, seed=7).tolist() == [3, 7, 52, 56, 62, 97, 111, 174]


def test_a_literal_tag_in_the_text_is_a_word_like_any_other():
    text = f"one {TAG_TOKEN} two"
    assert tag_positions(text, key="k", rate=1.0).tolist() == [3, 4 + len(TAG_TOKEN)]
    assert not len(tag_positions(text, key="k", rate=0.0))


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "word", "  word ", "\u2003word\u2003"])
def test_a_text_of_fewer_than_two_words_has_no_tag(text):
    assert tag_positions(text, key="k", rate=1.0).tolist() == []


@pytest.mark.parametrize("rate", [-0.01, 1.01, float("nan")])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        tag_positions("some text", key="k", rate=rate)
