"""What makes a generated answer unfit as training data. Each fault has a name and is counted.

Checks that need only the answer and its source are here; re-scoring is done in batches by ``drafting.py``.
"""

from __future__ import annotations

import re
from enum import StrEnum

from resources.language_model import Completion, FinishReason
from safety_assets.sentences import sentence_spans

__all__ = ["Fault", "find_fault", "key_terms", "whole_sentences"]


class Fault(StrEnum):
    """Why an answer was rejected, or a document held back."""

    FAILED = "failed"
    TOO_LONG = "too_long"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    REFUSAL = "refusal"
    META_TALK = "meta_talk"
    DEGENERATE = "degenerate"
    OTHER_LANGUAGE = "other_language"
    COPY_THROUGH = "copy_through"
    UNFAITHFUL = "unfaithful"
    UNSAFE_SENTENCE = "unsafe_sentence"
    UNSAFE_TEXT = "unsafe_text"
    NOT_SAFER = "not_safer"
    TOO_MANY_GAPS = "too_many_gaps"
    UNCONFIRMED = "unconfirmed"
    NOT_A_REFUSAL = "not_a_refusal"


# A run of this many words in common with the source is copying, not retelling.
COPIED_RUN_WORDS = 12
# Share of the answer's 4-grams that may stand in the source as well.
COPIED_SHARE = 0.4
# A text whose trigrams repeat this much has run in circles.
DISTINCT_TRIGRAMS = 0.7
# English prose has about 0.4; lists of names and other languages fall below this.
FUNCTION_WORD_SHARE = 0.18
# Of the source's key terms, the share that a retelling must still speak of.
KEPT_TERMS = 0.2

_REFUSAL = re.compile(
    r"\b(?:I(?:'m| am) (?:so |very |really )?sorry|I (?:can(?:no|')t|cannot|am unable to|'m unable to|won't)"
    r"|as an? (?:AI|language model)|I'm (?:unable|not able))\b",
    re.IGNORECASE,
)
_META = re.compile(
    r"(?:revised|rewritten|edited|polished|improved|reworded) (?:version|text|sentence)|original (?:text|sentence|version)"
    r"|input text|I made (?:some|a few)|here(?:'s| is) (?:a|the|how|your)|let me know if|I hope this (?:message|helps)"
    r"|word count|\[(?:your|insert|name)|as (?:you )?requested|the prompt\b|<\|",
    re.IGNORECASE,
)
_FUNCTION_WORDS = frozenset(
    "the of and a to in is was it for on with as that by at from his her they be this have are not but had which or "
    "an were we their been has when who will more no if out so said what up its about than into them can only other "
    "some could these two may then do first any my now such like our over me even most made after also did many before "
    "must through you your he she i him us there how why because all would should".split()
)
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")


def find_fault(completion: Completion, answer: str, source: str, *, may_refuse: bool = False) -> Fault | None:
    """The first thing wrong with an answer, or None.

    Args:
        completion: how the answer ended.
        answer: its usable text, whole sentences only (see :func:`whole_sentences`), opening words included.
        source: the text that it retells; empty where it retells nothing.
        may_refuse: the answer is meant to refuse.
    """
    if completion.finish_reason is FinishReason.FAILED:
        return Fault.FAILED
    if completion.finish_reason is FinishReason.TOO_LONG:
        return Fault.TOO_LONG
    if not answer:
        return Fault.TRUNCATED if completion.finish_reason is FinishReason.LENGTH else Fault.EMPTY
    if not may_refuse and _REFUSAL.search(answer):
        return Fault.REFUSAL
    if _META.search(answer):
        return Fault.META_TALK
    words = _words(answer)
    if _runs_in_circles(words):
        return Fault.DEGENERATE
    if not words or sum(word in _FUNCTION_WORDS for word in words) / len(words) < FUNCTION_WORD_SHARE:
        return Fault.OTHER_LANGUAGE
    if source:
        if _is_copied(words, _words(source)):
            return Fault.COPY_THROUGH
        terms = key_terms(source, 8)
        if sum(term in set(words) for term in terms) < KEPT_TERMS * len(terms):
            return Fault.UNFAITHFUL
    return None


def whole_sentences(text: str, *, begun: int = 0) -> str:
    """``text`` without an unfinished last sentence and without list or chat residue; empty where nothing is whole.

    Args:
        begun: length of the given opening; a first sentence that is not finished after it does not count.
    """
    first_block = re.split(r"\n\s*(?:\n|[-*#>]|\d+[.)]|[A-Z]\w*:)", text[begun:], maxsplit=1)[0]
    flat = re.sub(r"\s+", " ", text[:begun] + first_block).strip()
    ends = [end for _, end in sentence_spans(flat) if flat[end - 1] in ".!?\"”'" and end > begun]
    return flat[: ends[-1]] if ends else ""


def key_terms(text: str, count: int, *, skip: int = 0) -> list[str]:
    """The words that carry a text: its longest rare content words, lower-case, in order of appearance.

    Args:
        skip: leave out so many of the strongest, for another try with other words.
    """
    words = [
        word for word in _words(text) if len(word) > 3 and word.isalpha() and word not in _FUNCTION_WORDS
    ]
    order = {word: position for position, word in reversed(list(enumerate(words)))}
    ranked = sorted(order, key=lambda word: (-min(len(word), 9) - words.count(word), order[word]))
    chosen = ranked[skip : skip + count] or ranked[:count]
    return sorted(chosen, key=order.__getitem__)


def _words(text: str) -> list[str]:
    return [match.group().lower() for match in _TOKEN.finditer(text)]


def _runs_in_circles(words: list[str]) -> bool:
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return len(trigrams) >= 8 and len(set(trigrams)) / len(trigrams) < DISTINCT_TRIGRAMS


def _is_copied(words: list[str], source: list[str]) -> bool:
    def grams(sequence: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(sequence[i : i + size]) for i in range(len(sequence) - size + 1)}

    if grams(words, COPIED_RUN_WORDS) & grams(source, COPIED_RUN_WORDS):
        return True
    mine = grams(words, 4)
    return len(mine) >= 5 and len(mine & grams(source, 4)) / len(mine) > COPIED_SHARE
