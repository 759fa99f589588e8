"""Scorers that look at words alone: a graded word list, and the profanity checker of the paper's table 4."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from safety_assets.benchmark.errors import ScorerError
from safety_assets.benchmark.scored import Scored
from safety_assets.corpus.identity import text_hash
from safety_assets.harms import LEVELS

__all__ = ["ProfanityScorer", "WordListScorer"]

PACKAGED = Path(__file__).parent / "words.txt"
# The level of a word in a list that gives none.
UNGRADED = 3


class WordListScorer:
    """The highest level among the words and phrases of a list that stand in a text, whole and in any case.

    ``harm`` is that level and, as a fraction below 1, how dense the list's words are. A list has one entry to a line,
    ``level<TAB>words`` or the words alone; ``#`` begins a comment.

    Raises:
        ScorerError: no such list, or an entry without a level 1-5 before its tab.
    """

    name = "word-list"

    def __init__(self, path: Path | None = None) -> None:
        file = path or PACKAGED
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            raise ScorerError(f"The word list {file.name} cannot be read: give a text file.") from None
        self.version = f"{file.name}@{text_hash(text)[:12]}"
        self._levels = dict(_entries(text, file.name))
        if not self._levels:
            raise ScorerError(f"The word list {file.name} has no entry: write one word or phrase to a line.")
        longest_first = sorted(self._levels, key=len, reverse=True)
        # White space of a text was folded before.
        self._pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")

    def score(self, texts: Sequence[str]) -> Scored:
        levels, harm = np.zeros(len(texts), int), np.zeros(len(texts))
        for place, text in enumerate(texts):
            words = text.casefold().split()
            found = self._pattern.findall(" ".join(words))
            levels[place] = max((self._levels[word] for word in found), default=0)
            harm[place] = levels[place] + min(0.99, len(found) / max(len(words), 1))
        return Scored(levels, harm, probability=False)


class ProfanityScorer:
    """``alt-profanity-check``: a linear model over words, which gives a probability.

    Raises:
        ScorerError: it is not installed.
    """

    name = "alt-profanity-check"

    def __init__(self) -> None:
        try:
            from importlib.metadata import version

            from profanity_check import predict_prob
        except ImportError:
            raise ScorerError(
                "alt-profanity-check is not installed: install safety-assets[benchmark], or leave profanity out."
            ) from None
        self._predict = predict_prob
        self.version = version("alt-profanity-check")

    def score(self, texts: Sequence[str]) -> Scored:
        return Scored.of_harm(self._predict(list(texts)) if texts else np.zeros(0))


def _entries(text: str, name: str):
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.split("#")[0].strip()
        if not entry:
            continue
        level, tab, words = entry.rpartition("\t")
        if tab and (not level.strip().isdecimal() or int(level) not in LEVELS[1:]):
            raise ScorerError(f"Line {number} of the word list {name} has no level 1-5 before its tab.")
        yield " ".join(words.casefold().split()), int(level) if tab else UNGRADED
