"""Scorers that know the answers, or nothing at all, and labelled texts that only carry numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from safety_assets.benchmark.labels import LabelledText, harmful_of
from safety_assets.benchmark.scored import Scored


@dataclass(frozen=True)
class Scripted:
    """Scores each text by a function of it: (level, harm); None where it fails."""

    answer: Callable[[str], tuple[int, float] | None]
    name: str = "scripted"
    version: str = "1"

    def __call__(self) -> Scripted:
        return self

    def score(self, texts: Sequence[str]) -> Scored:
        found = [self.answer(text) or (-1, np.nan) for text in texts]
        return Scored(
            np.array([level for level, _ in found], int), np.array([harm for _, harm in found], float)
        )


def text_of(number: int, level: int, words: str = "") -> str:
    """A text that says its own level, unlike any other."""
    return f"{number * 7919 % 10007} text {number} of level {level} {words}".strip()


def level_of(text: str) -> int:
    """What :func:`text_of` wrote."""
    return int(text.split(" level ")[1].split()[0])


def labelled(count: int = 300, collection: str = "made", **changes) -> list[LabelledText]:
    """Texts of all six levels in turn."""
    return [
        LabelledText(
            text_of(number, number % 6), collection, "source", number % 6, harmful_of(number % 6), **changes
        )
        for number in range(count)
    ]


PERFECT = Scripted(lambda text: (level_of(text), level_of(text) / 5), "perfect")
CONSTANT = Scripted(lambda text: (0, 0.25), "constant")


def coin(seed: int = 0) -> Scripted:
    """Draws levels and harm, whatever the text says."""
    generator = np.random.default_rng(seed)
    return Scripted(lambda text: (int(generator.integers(6)), float(generator.random())), "coin")
