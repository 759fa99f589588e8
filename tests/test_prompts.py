"""Web text in prompts is data: it cannot end its own quotation or pass for a control token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.prompts import Template, as_data, neutralise_control_tokens

TOKENS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "[INST]",
    "</s>",
    "<think>",
    "<potentially_unsafe_content>",
]


@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_are_broken(token):
    assert token not in as_data(f"before {token} after {token.upper()}", max_chars=500)


@given(st.lists(st.sampled_from([*TOKENS, "]]]", "[[[", "a", " ", "\u200b", "<", "|", ">"]), max_size=30))
def test_nothing_inside_ends_the_quotation(parts):
    quoted = as_data("".join(parts), max_chars=10_000)
    assert quoted.count("]]]") == 1
    assert quoted.endswith("]]]")
    assert not any(token in quoted for token in TOKENS)


def test_zero_width_characters_do_not_hide_a_control_token():
    assert "<|im_end|>" not in as_data("<|im_\u200bend|>", max_chars=100)


def test_a_long_text_keeps_its_beginning_and_end():
    quoted = as_data("start " + "x" * 10_000 + " end", max_chars=200)
    assert quoted.startswith("[[[\nstart")
    assert quoted.endswith("end\n]]]")
    assert len(quoted) < 250


@given(st.text(alphabet=st.characters(blacklist_characters="<[", blacklist_categories=("Cs",))))
def test_ordinary_text_is_left_alone(text):
    assert neutralise_control_tokens(text) == text


def test_a_template_version_changes_with_its_words():
    assert Template("t", "a").version != Template("t", "b").version
    assert Template("t", "a").version == Template("t", "a").version
