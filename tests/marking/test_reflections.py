"""Segments cover all of a text in whole sentences; reflections say one of three things, in the paper's words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.harms import LEVELS, HarmCategory
from safety_assets.marking.reflections import Verdict, reflection, segment_spans, verdict_of
from safety_assets.sentences import count_words

texts = st.text(alphabet=st.sampled_from("abc AB.!?\n\t'\"19,é…\u3000"), max_size=200)


@given(texts, st.integers(1, 12))
def test_segments_cover_the_whole_text_without_a_gap(text, limit):
    spans = segment_spans(text, limit)
    if not text.strip():
        assert spans == []
        return
    assert "".join(text[start:end] for start, end in spans) == text
    assert spans[0][0] == 0
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


@given(texts, st.integers(1, 12))
def test_segments_have_words_and_never_too_many(text, limit):
    assert all(1 <= count_words(text[start:end]) <= limit for start, end in segment_spans(text, limit))


@given(texts, st.integers(1, 12))
def test_white_space_belongs_to_the_segment_before_it(text, limit):
    assert all(not text[start].isspace() for start, _ in segment_spans(text, limit)[1:])


def test_segments_end_with_sentences():
    text = "  One two three. Four five.\n\nSix seven eight nine. "
    assert [text[start:end] for start, end in segment_spans(text, 5)] == [
        "  One two three. Four five.\n\n",
        "Six seven eight nine. ",
    ]


def test_levels_become_verdicts():
    safe, slight, strong = Verdict.SAFE, Verdict.CONTROVERSIAL, Verdict.UNSAFE
    assert [verdict_of(level) for level in LEVELS] == [safe, slight, slight, strong, strong, strong]
    with pytest.raises(ValueError, match="6"):
        verdict_of(6)


@pytest.mark.parametrize("category", HarmCategory)
def test_every_category_has_a_name_in_reflections(category):
    pattern = r"<think> Unsafe: [A-Z][A-Za-z&\- ]+ </think>"
    assert re.fullmatch(pattern, reflection(Verdict.UNSAFE, category))


def test_reflections_are_worded_as_in_the_paper():
    assert reflection(Verdict.SAFE) == "<think> Safe </think>"
    assert reflection(Verdict.UNSAFE, HarmCategory.VIOLENT_CRIMES) == "<think> Unsafe: Violent </think>"
    assert (
        reflection(Verdict.CONTROVERSIAL, HarmCategory.ELECTIONS)
        == "<think> Controversial: Politically Sensitive Topics </think>"
    )


def test_a_safe_reflection_names_no_harm():
    assert {reflection(Verdict.SAFE, category) for category in HarmCategory} == {"<think> Safe </think>"}
