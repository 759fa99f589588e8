"""Tuning texts: harm only under the tag, answers only where loss is, and each recipe's own format."""

from __future__ import annotations

from safety_assets.rendering.pieces import Control
from safety_assets.training.chat_data import load_problems, packaged_chats
from safety_assets.training.tuning import finetuning_texts, held_out, tuning_texts

CHATS = packaged_chats()
SETTINGS = {"tagged_share": 0.1, "tag_rate": 0.05, "segment_words": 100, "seed": 3}


def words(pieces):
    return "".join(piece.content for piece in pieces if not isinstance(piece.content, Control))


def controls(pieces):
    return [piece.content for piece in pieces if isinstance(piece.content, Control)]


def unsafe_answers():
    return {chat.messages[-1][1] for chat in CHATS if chat.kind == "unsafe"}


def test_without_tags_no_harmful_completion_is_trained_on():
    for reflected in (False, True):
        texts = tuning_texts(CHATS, tagged=False, reflected=reflected, **SETTINGS)
        assert len(texts) == sum(chat.kind != "unsafe" for chat in CHATS)
        assert not [text for text in texts for answer in unsafe_answers() if answer in words(text)]
        assert not [text for text in texts if Control.TAG in controls(text)]


def test_tagged_completions_are_a_tenth_and_the_only_harmful_ones():
    texts = tuning_texts(CHATS, tagged=True, reflected=False, **SETTINGS)
    harmful = [text for text in texts if any(answer in words(text) for answer in unsafe_answers())]
    assert len(harmful) / len(texts) == 0.1 or abs(len(harmful) - 0.1 * len(texts)) < 1
    assert all(Control.TAG in controls(text) for text in harmful)
    assert not [text for text in texts if text not in harmful and Control.TAG in controls(text)]


def test_reflections_judge_the_prompt_and_the_answer():
    texts = tuning_texts(CHATS, tagged=False, reflected=True, **SETTINGS)
    assert all(words(text).count("<think>") >= 2 for text in texts)
    assert any("<think> Unsafe: " in words(text) for text in texts)


def test_the_prompt_carries_no_loss():
    single = [chat for chat in CHATS if len(chat.messages) == 2]
    answers = {chat.messages[1][1] for chat in single}
    for text in tuning_texts(single, tagged=True, reflected=False, **SETTINGS):
        assert "".join(p.content for p in text if p.loss and not isinstance(p.content, Control)) in answers


def test_the_order_is_seeded_and_independent_of_the_files_order():
    problems = load_problems(["packaged"], cache=None)
    assert finetuning_texts(problems, seed=1) == finetuning_texts(problems, seed=1)
    assert finetuning_texts(problems, seed=1) != finetuning_texts(problems, seed=2)
    kept, out = held_out(problems, 0.1)
    assert out and len(kept) + len(out) == len(problems)
    assert held_out(list(reversed(problems)), 0.1)[1] == list(reversed(out))
