"""Ids, masks, and where in the document each token comes from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.marking.reflections import ReflectedSegment, Verdict, segment_spans
from safety_assets.marking.tags import tag_positions
from safety_assets.rendering.formats import chat, dialogue, plain, reflected, tagged
from safety_assets.rendering.pieces import Control
from tests.rendering.texts import any_text, written

prose = any_text | st.text(alphabet=st.sampled_from("abc. \n1é😀漢"), max_size=100)


def with_marks(text):
    """The same text in every format that keeps its characters."""
    segments = [ReflectedSegment(*span, Verdict.UNSAFE) for span in segment_spans(text, 2)]
    positions = tag_positions(text, key="k", rate=0.5)
    return [plain(text), tagged(text, positions), reflected(text, segments)]


@given(prose)
def test_offsets_rise_from_the_start_to_the_end_of_the_text(renderer, text):
    for rendered in renderer.render(with_marks(text)):
        offsets = [rendered.char_at(token) for token in range(len(rendered) + 1)]
        assert offsets == sorted(offsets)
        assert offsets[0] == 0 and offsets[-1] == len(text)


@given(written)
def test_tokens_before_an_offset_hold_the_text_before_it(renderer, text):
    (rendered,) = renderer.render([plain(text)])
    for token in range(len(rendered)):
        before = renderer.tokenizer.decode(rendered.ids[:token])
        # A character that a token border cuts counts to the token it begins in.
        assert text[: rendered.char_at(token)].startswith(before.rstrip("\ufffd"))
        if "\ufffd" not in before:
            assert before == text[: rendered.char_at(token)]


def test_a_token_that_was_put_in_has_the_offset_of_what_follows(renderer):
    (rendered,) = renderer.render([tagged("ab cd", [2])])
    (at,) = np.flatnonzero(rendered.ids == renderer.tokenizer.control_id(Control.TAG))
    assert rendered.char_at(int(at)) == rendered.char_at(int(at) + 1) == 2
    assert rendered.char_at(len(rendered) - 1) == rendered.char_at(len(rendered)) == 5


def test_offsets_of_a_dialogue_rise_over_its_contents(renderer):
    turns = [("user", "Hello there"), ("assistant", "Good day")]
    (rendered,) = renderer.render([dialogue(turns, key="k")])
    offsets = [rendered.char_at(token) for token in range(len(rendered) + 1)]
    assert offsets == sorted(offsets)
    assert offsets[-1] == len(" Hello there Good day")


def test_there_is_no_offset_outside_the_text(renderer):
    (rendered,) = renderer.render([plain("text")])
    for token in (-1, len(rendered) + 1):
        with pytest.raises(IndexError):
            rendered.char_at(token)


@given(st.lists(prose, max_size=5))
def test_company_does_not_change_a_text(renderer, texts):
    documents = [pieces for text in texts for pieces in with_marks(text)]
    together = renderer.render(documents)
    assert len(together) == len(documents)
    for pieces, rendered in zip(documents, together, strict=True):
        (alone,) = renderer.render([pieces])
        assert rendered.ids.tolist() == alone.ids.tolist()
        assert rendered.loss.tolist() == alone.loss.tolist()


def test_types_and_shapes(renderer):
    documents = [plain("some text"), [], chat([("user", "a"), ("assistant", "b")])]
    for rendered in renderer.render(documents):
        assert rendered.ids.dtype == np.int32 and rendered.loss.dtype == bool
        assert rendered.ids.shape == rendered.loss.shape == (len(rendered),)
    assert renderer.render([]) == []


def test_a_text_is_encoded_in_one_batch(renderer, monkeypatch):
    calls = []
    encode = renderer.tokenizer.encode_batch
    monkeypatch.setattr(
        renderer.tokenizer, "encode_batch", lambda texts: calls.append(texts) or encode(texts)
    )
    renderer.render([tagged("one two three", [3, 7]), plain("four")])
    assert calls == [["one", " two", " three", "four"]]
