"""Splitting text: sentences, passages of whole sentences, and words. One splitter for every stage.

All functions return character spans into the given text, so that labels can stand beside immutable text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["count_words", "passage_spans", "sentence_spans"]

# Words that end in a full stop without ending a sentence.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc inc ltd co corp no vol fig eq al approx dept est min max gen rep sen gov e.g i.e "
    "jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m u.s u.k".split()
)
_BREAK = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|\n{1,}""")
_WORD = re.compile(r"\S+")


def count_words(text: str) -> int:
    """Runs of non-space characters."""
    return sum(1 for _ in _WORD.finditer(text))


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Spans of sentences, without the white space around them; together they hold every non-space character.

    A sentence ends at closing punctuation before white space, or at a line break. Abbreviations, initials and
    decimal points do not end one.
    """
    spans, start = [], 0
    for match in _BREAK.finditer(text):
        if not match[0].startswith("\n") and not _ends_sentence(text, match):
            continue
        _append_stripped(spans, text, start, match.end())
        start = match.end()
    _append_stripped(spans, text, start, len(text))
    return spans


def passage_spans(text: str, max_words: int) -> list[tuple[int, int]]:
    """Spans of consecutive whole sentences of at most ``max_words`` words; an overlong sentence is cut between words.

    Raises:
        ValueError: ``max_words`` is less than 1.
    """
    if max_words < 1:
        raise ValueError(f"max_words must be at least 1, not {max_words}")
    passages: list[tuple[int, int]] = []
    words = 0
    for start, end in _cut_overlong(text, max_words):
        length = count_words(text[start:end])
        if passages and words + length <= max_words:
            passages[-1] = (passages[-1][0], end)
            words += length
        else:
            passages.append((start, end))
            words = length
    return passages


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match[0][0] != ".":
        return True
    before = text[max(0, match.start() - 12) : match.start()].rsplit(None, 1)
    word = before[-1].lower().lstrip("(\"'“") if before else ""
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return False
    after = text[match.end() : match.end() + 3].lstrip()
    return not (after and after[0].islower())


def _append_stripped(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def _cut_overlong(text: str, max_words: int) -> Iterator[tuple[int, int]]:
    for start, end in sentence_spans(text):
        words = [match.span() for match in _WORD.finditer(text, start, end)]
        for first in range(0, len(words), max_words):
            last = min(first + max_words, len(words)) - 1
            yield words[first][0], words[last][1]
