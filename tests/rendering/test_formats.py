"""Each kind of training text: what it is made of, what is trained on, and that nothing of a document is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.harms import HarmCategory
from safety_assets.marking.reflections import ReflectedSegment, Verdict, reflection, segment_spans
from safety_assets.marking.tags import tag_positions
from safety_assets.prompts import TAG_TOKEN
from safety_assets.rendering.formats import (
    chat,
    chat_prompt,
    completion_prompt,
    dialogue,
    plain,
    reflected,
    tagged,
)
from safety_assets.rendering.pieces import Control, Piece
from safety_assets.rendering.renderer import Renderer
from tests.rendering.texts import spelled, written

prose = st.text(alphabet=st.sampled_from("abc AB.!?\n\t19é😀"), max_size=120)
tricky = written | spelled
verdicts = st.sampled_from(Verdict)
CHAT = [("system", "Be kind."), ("user", "How are you?"), ("assistant", "Fine. And you? I hope well.")]


def literal(pieces, *, source_only=False):
    kept = [piece for piece in pieces if piece.char_start is not None or not source_only]
    return "".join(piece.content for piece in kept if not isinstance(piece.content, Control))


def controls(pieces):
    return [piece.content for piece in pieces if isinstance(piece.content, Control)]


def trained_text(renderer, pieces):
    (rendered,) = renderer.render([pieces])
    return renderer.tokenizer.decode(rendered.ids[rendered.loss])


def whole_text(renderer, pieces):
    (rendered,) = renderer.render([pieces])
    return renderer.tokenizer.decode(rendered.ids)


def segments_of(text, said, words=3):
    spans = segment_spans(text, words)
    return [
        ReflectedSegment(start, end, said[number % len(said)], HarmCategory.HATE)
        for number, (start, end) in enumerate(spans)
    ]


@given(tricky)
def test_plain_text_decodes_to_itself_and_one_end(renderer, text):
    (rendered,) = renderer.render([plain(text)])
    end = renderer.tokenizer.control_id(Control.END_OF_TEXT)
    assert rendered.ids[-1] == end and np.count_nonzero(rendered.ids == end) == 1
    assert renderer.tokenizer.decode(rendered.ids[:-1]) == text
    assert rendered.loss.all()


@given(tricky, st.floats(0, 1))
def test_without_its_tags_a_tagged_text_is_the_text(renderer, text, rate):
    positions = tag_positions(text, key="k", rate=rate)
    (rendered,) = renderer.render([tagged(text, positions)])
    tag = renderer.tokenizer.control_id(Control.TAG)
    kept = rendered.ids[rendered.ids != tag]
    assert renderer.tokenizer.decode(kept[:-1]) == text
    assert len(rendered.ids) - len(kept) == len(positions)
    assert rendered.loss.all()


def test_a_literal_tag_never_becomes_the_tag(renderer):
    tag = renderer.tokenizer.control_id(Control.TAG)
    text = f"He wrote {TAG_TOKEN} and{TAG_TOKEN}{TAG_TOKEN} again"
    messages = [("user", text), ("assistant", text)]
    for pieces in (plain(text), tagged(text, []), dialogue(messages, key="k"), chat(messages)):
        (rendered,) = renderer.render([pieces])
        assert tag not in rendered.ids
    (rendered,) = renderer.render([tagged(text, [2])])
    assert np.count_nonzero(rendered.ids == tag) == 1


def test_words_after_a_tag_keep_their_usual_tokens(renderer):
    text = "the people of the town were there"
    positions = tag_positions(text, key="k", rate=1.0)
    plainly, marked = renderer.render([plain(text), tagged(text, positions)])
    tag = renderer.tokenizer.control_id(Control.TAG)
    assert marked.ids[marked.ids != tag].tolist() == plainly.ids.tolist()


@given(prose, st.lists(verdicts, min_size=1))
def test_a_reflected_text_keeps_all_of_the_document(text, said):
    segments = segments_of(text, said)
    pieces = reflected(text, segments)
    assert literal(pieces, source_only=True) == text
    put_in = [piece.content for piece in pieces if piece.char_start is None]
    unsafe = sum(segment.verdict is Verdict.UNSAFE for segment in segments)
    assert put_in.count(Control.END_OF_TEXT) == unsafe + (
        not segments or segments[-1].verdict is not Verdict.UNSAFE
    )
    assert sum(not isinstance(content, Control) for content in put_in) == len(segments)
    assert pieces[-1].content is Control.END_OF_TEXT
    assert all(piece.loss for piece in pieces)


@given(prose, st.lists(verdicts, min_size=1))
def test_a_reflection_follows_its_segment_and_an_end_follows_every_unsafe_one(text, said):
    pieces, segments = reflected(text, segments_of(text, said)), segments_of(text, said)
    passed, number = "", 0
    for piece, following in pairwise(pieces):
        if piece.char_start is not None:
            passed += piece.content
        elif not isinstance(piece.content, Control):
            segment = segments[number]
            assert text[: segment.char_end].rstrip() == passed.rstrip()
            assert piece.content == f" {reflection(segment.verdict, segment.category)}"
            assert (following.content is Control.END_OF_TEXT) >= (segment.verdict is Verdict.UNSAFE)
            number += 1
    assert number == len(segments)


def test_a_reflected_text_reads_as_in_the_paper(renderer):
    text = "All is well here. They fought. Then came peace."
    segments = segments_of(text, [Verdict.SAFE, Verdict.UNSAFE, Verdict.CONTROVERSIAL], words=4)
    assert whole_text(renderer, reflected(text, segments)) == (
        "All is well here. <think> Safe </think> They fought. <think> Unsafe: Unethical Acts </think><|endoftext|>"
        " Then came peace. <think> Controversial: Unethical Acts </think><|endoftext|>"
    )


@pytest.mark.parametrize("bounds", [[(0, 3)], [(1, 9)], [(0, 4), (5, 9)], [(0, 5), (4, 9)], []])
def test_segments_of_another_text_are_refused(bounds):
    segments = [ReflectedSegment(start, end, Verdict.SAFE) for start, end in bounds]
    with pytest.raises(ValueError, match="do not cover"):
        reflected("nine char", segments)


TURNS = [("user", "Insult her."), ("assistant", "No.\nLet us be kind."), ("user", ""), ("assistant", "Good.")]


def test_a_dialogue_has_speakers_and_no_roles(renderer):
    for number in range(50):
        pieces = dialogue(TURNS, key=str(number))
        text = literal(pieces)
        assert "user" not in text.lower() and "assistant" not in text.lower()
        lines = text.split("\n\n")
        speakers = [line.split(":")[0] for line in lines]
        assert speakers[:2] * 2 == speakers and speakers[0] != speakers[1]
        assert [line.split(": ", 1)[1] for line in lines] == [content for _, content in TURNS]
        assert controls(pieces) == [Control.END_OF_TEXT] and all(piece.loss for piece in pieces)


def test_a_dialogue_is_drawn_by_key_and_seed_alone():
    assert dialogue(TURNS, key="a") == dialogue(TURNS, key="a")
    assert len({literal(dialogue(TURNS, key=str(number))) for number in range(30)}) > 20
    assert len({literal(dialogue(TURNS, key="a", seed=number)) for number in range(30)}) > 20


def test_offsets_of_a_dialogue_count_over_its_contents():
    source = "".join(f" {content}" for _, content in TURNS)
    for piece in dialogue(TURNS, key="a"):
        if piece.char_start is not None:
            assert source[piece.char_start :].startswith(piece.content)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), tricky), max_size=4))
def test_only_what_the_assistant_says_and_the_end_of_its_turn_is_trained_on(renderer, messages):
    expected = "".join(f"{content}<|im_end|>" for role, content in messages if role == "assistant")
    assert trained_text(renderer, chat(messages)) == expected


def test_a_chat_is_what_the_saved_template_makes_of_it(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": role, "content": content} for role, content in CHAT]
    trained, asked = Renderer(tokenizer).render([chat(CHAT), chat_prompt(CHAT[:2])])
    assert trained.ids.tolist() == loaded.apply_chat_template(messages)
    assert asked.ids.tolist() == loaded.apply_chat_template(messages[:2], add_generation_prompt=True)


@given(st.lists(st.tuples(st.sampled_from(["system", "user"]), tricky), min_size=1, max_size=3), tricky)
def test_a_prompt_is_the_beginning_of_the_chat_that_was_trained_on(renderer, asked, answer):
    prompt, whole = renderer.render([chat_prompt(asked), chat([*asked, ("assistant", answer)])])
    assert prompt.ids.tolist() == whole.ids[: len(prompt)].tolist()
    assert not prompt.loss.any()
    (begun,) = renderer.render([chat_prompt(asked, prefill=answer)])
    assert begun.ids.tolist() == whole.ids[:-1].tolist()


def test_tags_of_a_chat_stand_in_the_last_answer_and_are_trained_on(renderer):
    tag = renderer.tokenizer.control_id(Control.TAG)
    answer = CHAT[-1][1]
    positions = tag_positions(answer, key="k", rate=1.0)
    usual, marked = renderer.render([chat(CHAT), chat(CHAT, tagged_positions=positions)])
    assert np.count_nonzero(marked.ids == tag) == len(positions) == 5
    assert marked.loss[marked.ids == tag].all()
    assert marked.ids[marked.ids != tag].tolist() == usual.ids.tolist()


def test_the_first_reflection_of_a_chat_judges_the_prompt(renderer):
    prompt = ReflectedSegment(0, 0, Verdict.UNSAFE, HarmCategory.HATE)
    answer = segments_of(CHAT[-1][1], [Verdict.SAFE])
    assert trained_text(renderer, chat(CHAT, reflections=[prompt, *answer])) == (
        "<think> Unsafe: Unethical Acts </think>\nFine. And you? <think> Safe </think>"
        " I hope well. <think> Safe </think><|im_end|>"
    )


def test_an_unsafe_segment_ends_the_answer(renderer):
    prompt = ReflectedSegment(0, 0, Verdict.SAFE)
    answer = segments_of(CHAT[-1][1], [Verdict.UNSAFE, Verdict.SAFE])
    assert trained_text(renderer, chat(CHAT, reflections=[prompt, *answer])) == (
        "<think> Safe </think>\nFine. And you? <think> Unsafe: Unethical Acts </think><|im_end|>"
    )


@given(prose, st.lists(verdicts, min_size=1))
def test_a_reflected_answer_ends_once_and_says_what_was_answered(text, said):
    segments = segments_of(text, said)
    pieces = chat(
        [("user", "?"), ("assistant", text)], reflections=[ReflectedSegment(0, 1, Verdict.SAFE), *segments]
    )
    trained = [piece for piece in pieces if piece.loss]
    assert controls(trained) == [Control.TURN_END] and trained[-1].content is Control.TURN_END
    told = "".join(
        piece.content
        for piece in trained
        if not isinstance(piece.content, Control) and "<think>" not in piece.content
    )
    assert text.startswith(told)
    if all(segment.verdict is not Verdict.UNSAFE for segment in segments):
        assert told == text.rstrip()


@pytest.mark.parametrize(
    ("messages", "marks", "reason"),
    [
        (CHAT[:2], {"tagged_positions": [3]}, "last message is none"),
        ([], {"tagged_positions": []}, "last message is none"),
        (CHAT, {"tagged_positions": [], "reflections": []}, "not both"),
        (CHAT, {"reflections": []}, "there is none"),
        (CHAT, {"reflections": [ReflectedSegment(0, 3, Verdict.SAFE)]}, "do not cover"),
    ],
)
def test_marks_that_fit_no_answer_are_refused(messages, marks, reason):
    with pytest.raises(ValueError, match=reason):
        chat(messages, **marks)


def test_the_beginning_of_a_text_has_no_end():
    assert completion_prompt("Once upon") == [Piece("Once upon", loss=False, char_start=0)]
