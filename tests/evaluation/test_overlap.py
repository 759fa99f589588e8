"""Shared runs of words between prompts and training texts, against a plain comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.evaluation.errors import EvaluationError
from safety_assets.evaluation.overlap import prompt_overlap
from tests.evaluation.examples import prompt

SENTENCE = "the quick brown fox jumps over the lazy dog"
WORDS = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


def runs(text: str, words: int) -> set[tuple[str, ...]]:
    parts = text.split()
    return {tuple(parts[at : at + words]) for at in range(len(parts) - words + 1)}


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), st.integers(1, 4))
def test_overlap_is_what_a_plain_comparison_finds(prompts, texts, words):
    asked = [prompt(str(at), text) for at, text in enumerate(prompts)]
    found = prompt_overlap(asked, {"web": texts}, words=words)
    stored = set().union(*(runs(text, words) for text in texts))
    shared = sum(bool(runs(text, words) & stored) for text in prompts)
    compared = sum(bool(runs(text, words)) for text in prompts)
    if prompts:
        assert [(row.shared, row.compared, row.prompts, row.texts) for row in found] == [
            (shared, compared, len(prompts), len(texts))
        ]
    else:
        assert found == []


def test_case_and_punctuation_hide_nothing_but_one_word_less_does():
    asked = [prompt(text=SENTENCE)]
    loud = "He wrote: «The QUICK, brown fox – jumps over the LAZY» dog!"
    short = SENTENCE.rsplit(" ", 2)[0]
    found = prompt_overlap(asked, {"loud": [loud], "short": [short], "none": []})
    assert [(row.slice, row.shared) for row in found] == [("loud", 1), ("short", 0), ("none", 0)]


def test_each_set_has_a_row_and_short_prompts_cannot_be_compared():
    asked = [prompt(text=SENTENCE), prompt("2", "too short", set_name="other")]
    found = {row.set_name: row for row in prompt_overlap(asked, {"web": iter([SENTENCE])})}
    assert found["tiny"].share.value == 1
    assert (found["other"].prompts, found["other"].compared, found["other"].share) == (1, 0, None)


def test_a_run_of_no_words_is_refused():
    with pytest.raises(EvaluationError, match="at least 1 word"):
        prompt_overlap([], {}, words=0)
