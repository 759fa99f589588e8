"""The packaged prompts and chats: complete, well formed, and evaluation kept apart from training."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import safety_assets
from safety_assets.evaluation.prompt_sets import PACKAGED_SETS, load_prompt_set
from safety_assets.harms import HARM_CATEGORIES, HarmCategory
from safety_assets.sentences import count_words, sentence_spans
from safety_assets.training.chat_data import packaged_chats

PACKAGE = Path(safety_assets.__file__).parent
PROMPTS = {name: PACKAGE / "evaluation" / "prompts" / f"{name}.jsonl" for name in PACKAGED_SETS}
CHATS = {
    name: PACKAGE / "training" / "chats" / f"{name}.jsonl"
    for name in ("helpful", "refusals", "unsafe_completions")
}
COUNTS = {
    "completions": 56,
    "requests": 60,
    "benign_sounding_harmful": 60,
    "helpful": 160,
    "refusals": 70,
    "unsafe_completions": 40,
}
# No harmful text is about children, not even by intent.
ASKED = set(HARM_CATEGORIES) - {HarmCategory.CHILD_SEXUAL_EXPLOITATION}
LEAST_EACH = {"completions": 4, "requests": 4, "refusals": 5, "unsafe_completions": 3}
# (fewest, most) words.
PROMPT_WORDS = {"completions": (15, 40), "requests": (8, 25), "benign_sounding_harmful": (6, 30)}
ANSWER_WORDS = {"helpful": (25, 70), "refusals": (30, 60), "unsafe_completions": (20, 40)}
COMPLETION_TARGET_WORDS = (4, 10)
# The prefill attack uses the first 20 characters of a target; more must be there.
LEAST_TARGET_CHARS = 24
OVERLAP_WORDS = 8
# What only a format may write: turns, tags, reflections, special tokens of common tokenizers.
CONTROL = re.compile(r"<\||\|>|</?\w|\[/?[A-Z_]{2,}\]|\bim_(?:start|end)\b|[\x00-\x09\x0b-\x1f\x7f]")
SENSITIVE = re.compile(
    r"\b(?:abused?|attacks?|blood|bomb|dead|die|drugs|explosions|guns?|hack\w*|hate|kills?|knife|murder|naked|"
    r"overdose|poison\w*|prisoners|sex|shoot|stole|touches|virus|weapons)\b",
    re.IGNORECASE,
)


def rows(path):
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def texts(name):
    """Every text of a file, questions, answers and targets alike."""
    if name in PROMPTS:
        return [text for row in rows(PROMPTS[name]) for text in (row["text"], row["target"]) if text]
    return [message["content"] for row in rows(CHATS[name]) for message in row["messages"]]


def plain_words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def word_runs(name, length):
    runs = set()
    for text in texts(name):
        words = plain_words(text)
        runs |= {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}
    return runs


def sentences(name):
    return {
        tuple(plain_words(text[start:end])) for text in texts(name) for start, end in sentence_spans(text)
    }


@pytest.mark.parametrize("name", COUNTS)
def test_every_file_is_whole_with_ids_of_its_own(name):
    here = rows({**PROMPTS, **CHATS}[name])
    ids = [row["prompt_id" if name in PROMPTS else "chat_id"] for row in here]
    assert len(here) == COUNTS[name]
    assert len(set(ids)) == len(ids)
    assert [int(ident.rsplit("-", 1)[1]) for ident in ids] == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("name", COUNTS)
def test_no_question_comes_twice(name):
    asked = [
        row["text"] if name in PROMPTS else row["messages"][0]["content"]
        for row in rows({**PROMPTS, **CHATS}[name])
    ]
    assert len({tuple(plain_words(text)) for text in asked}) == len(asked)


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_have_their_fields_and_lengths(name):
    fewest, most = PROMPT_WORDS[name]
    for row in rows(PROMPTS[name]):
        assert set(row) == {"prompt_id", "text", "target", "category"}
        assert fewest <= count_words(row["text"]) <= most, row["prompt_id"]


def test_targets_are_long_enough_to_begin_with():
    fewest, most = COMPLETION_TARGET_WORDS
    assert all(fewest <= count_words(row["target"]) <= most for row in rows(PROMPTS["completions"]))
    assert all(len(row["target"]) >= LEAST_TARGET_CHARS for row in rows(PROMPTS["requests"]))


def test_texts_to_be_completed_are_unfinished():
    assert not any(row["text"].endswith((".", "!", "?")) for row in rows(PROMPTS["completions"]))


def test_harmless_prompts_have_neither_target_nor_category():
    assert all(
        row["target"] is None and row["category"] == "none"
        for row in rows(PROMPTS["benign_sounding_harmful"])
    )


@pytest.mark.parametrize("name", LEAST_EACH)
def test_every_harm_but_one_is_asked_for(name):
    counts = Counter(row["category"] for row in rows({**PROMPTS, **CHATS}[name]))
    assert set(counts) == ASKED
    assert min(counts.values()) >= LEAST_EACH[name]


@pytest.mark.parametrize("name", CHATS)
def test_chats_take_turns_and_answer_in_the_length_that_was_asked_for(name):
    fewest, most = ANSWER_WORDS[name]
    for row in rows(CHATS[name]):
        assert set(row) == {"chat_id", "messages"} | ({"category"} if name != "helpful" else set())
        roles = [message["role"] for message in row["messages"]]
        assert roles in (["user", "assistant"], ["user", "assistant"] * 2)
        assert name == "helpful" or len(roles) == 2
        for message in row["messages"]:
            if message["role"] == "assistant":
                assert fewest <= count_words(message["content"]) <= most, row["chat_id"]


def test_many_helpful_chats_use_a_sensitive_word():
    asked = [row["messages"][0]["content"] for row in rows(CHATS["helpful"])]
    assert sum(bool(SENSITIVE.search(text)) for text in asked) >= 25


def test_refusals_are_worded_one_by_one():
    openings = Counter(
        tuple(plain_words(row["messages"][1]["content"])[:4]) for row in rows(CHATS["refusals"])
    )
    assert max(openings.values()) <= 2
    said = [
        sentence
        for row in rows(CHATS["refusals"])
        for start, end in sentence_spans(row["messages"][1]["content"])
        if (sentence := row["messages"][1]["content"][start:end])
    ]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", COUNTS)
def test_no_text_writes_what_only_a_format_may_write(name):
    for text in texts(name):
        assert not CONTROL.search(text), text
        assert text == text.strip()


@pytest.mark.parametrize("chats", CHATS)
@pytest.mark.parametrize("prompts", PROMPTS)
def test_evaluation_and_training_share_no_run_of_words_and_no_sentence(prompts, chats):
    shared_runs = word_runs(prompts, OVERLAP_WORDS) & word_runs(chats, OVERLAP_WORDS)
    shared_sentences = sentences(prompts) & sentences(chats)
    assert not shared_runs
    assert not shared_sentences


def test_the_stages_read_the_files_as_they_are():
    assert {name: len(load_prompt_set(name)) for name in PROMPTS} == {name: COUNTS[name] for name in PROMPTS}
    assert Counter(chat.kind for chat in packaged_chats()) == {"helpful": 160, "refusal": 70, "unsafe": 40}
