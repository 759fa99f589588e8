"""How a word problem is worked out: steps whose equations are computed as they are written, and invented names."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

__all__ = [
    "CAKES",
    "FRUITS",
    "NAMES",
    "OPERATIONS",
    "PLANTS",
    "TOYS",
    "WISHES",
    "Story",
    "StoryError",
    "Working",
]

OPERATIONS: dict[str, Callable[[int, int], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    # A true quotient: one that is no whole number equals no result.
    "/": operator.truediv,
}

NAMES = (
    "Odalys Pim Tamsin Joravar Wren Ilka Benno Maritza Osei Quill Lunetta Farrow Zdenka Corin Anouk Hollis "
    "Brisa Tolliver Nkem Saskia Ivo Peregrin Dalia Umberto Kestrel Mirela Rufus Yevgenia"
).split()
FRUITS = "plums pears figs quinces apricots mandarins".split()
TOYS = "marbles stickers beads shells buttons badges".split()
PLANTS = "tomato pumpkin pepper cucumber courgette melon".split()
CAKES = "buns tarts scones muffins dumplings pretzels".split()
WISHES = "kite|telescope|drum|skateboard|tent|pair of roller skates".split("|")


class StoryError(Exception):
    """A step that gives no whole number of at least 1."""


class Working:
    """The steps of an answer. ``result`` is that of the last one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.result = 0

    def step(self, says: str, left: int, sign: str, right: int) -> int:
        """Write a step, with its equation in place of the braces in ``says``; returns the result."""
        result = OPERATIONS[sign](left, right)
        if result < 1 or result != int(result):
            raise StoryError(f"{left} {sign} {right} = {result}")
        self.result = int(result)
        self.lines.append(says.format(f"{left} {sign} {right} = {self.result}"))
        return self.result


# Draws names and numbers; gives the question and its working.
Story = Callable[[random.Random], tuple[str, Working]]
