"""Laws of the one splitter."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.sentences import count_words, passage_spans, sentence_spans

texts = st.text(alphabet=st.sampled_from("abc AB.!?\n\t'\"19,é…"), max_size=200)


def covered(text, spans):
    return "".join("".join(text[start:end].split()) for start, end in spans)


@given(texts)
def test_sentences_hold_every_character_once_in_order(text):
    spans = sentence_spans(text)
    assert covered(text, spans) == "".join(text.split())
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@given(texts, st.integers(1, 12))
def test_passages_hold_every_character_and_never_too_many_words(text, limit):
    spans = passage_spans(text, limit)
    assert covered(text, spans) == "".join(text.split())
    assert all(1 <= count_words(text[start:end]) <= limit for start, end in spans)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith paid 3.50 at 9 a.m. and left. He was late!", 2),
        ('"Are you sure?" she asked. "Yes."', 3),
        ("A heading\nA line under it.", 2),
        ("J. R. Hartley wrote it.", 1),
        ("No full stop at the end", 1),
        ("", 0),
        (" \n ", 0),
    ],
)
def test_sentence_ends(text, count):
    assert len(sentence_spans(text)) == count


def test_a_passage_needs_at_least_a_word():
    with pytest.raises(ValueError, match="at least 1"):
        passage_spans("text", 0)
