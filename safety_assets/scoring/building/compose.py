"""Windows to train on: a labelled text, at random inside harmless text of others, so that length and register say nothing.

The labelled text is always whole inside its window and keeps its label: one unsafe sentence makes a harmless page
unsafe. The harmless text is of the same permissive sources and the project's own.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from safety_assets.scoring.building.harm_names import CATEGORIES, category_of
from safety_assets.scoring.building.sources import SourceText
from safety_assets.scoring.building.targets import bucket_of, soft_target

__all__ = ["SHARES", "Composer", "Core", "Window", "with_context"]

# Characters of a window at most: a little more than 128 tokens hold.
LONGEST_CHARS = 700
SHORTEST_CONTEXT_CHARS = 40
# Of the windows, how many have their text inside harmless text. Requests and posts also come alone to a scorer; with fewer
# of the requests in company (0.3 was tried) nothing was told apart better.
CONTEXT_SHARE = 0.6
LOWER_CASE, UPPER_CASE, SENTENCE_CASE = 0.1, 0.04, 0.1
# A public text may be context where its expected level is below this.
HARMLESS_BELOW = 0.25
CONTEXT_SOURCES = ("rtp-2400", "perspective-wiki2k")
BETWEEN = (" ", "\n", "\n\n")

# How often each bucket is drawn, relative to the others. A bucket without a share, or a share without a bucket, is an
# error: a misspelt name would silently leave a source out.
SHARES = {
    # The only texts with levels; two windows of three.
    "own": 206,
    "davidson:low": 5,
    "davidson:middle": 5,
    "davidson:high": 4,
    "davidson:top": 5,
    "edos:none": 7,
    "edos:1": 4,
    "edos:2": 4,
    "edos:3": 3,
    "edos:4": 3,
    "toxic-spans:middle": 2,
    "toxic-spans:high": 8,
    "rtp-2400:low": 9,
    "rtp-2400:middle": 3,
    "rtp-2400:high": 4,
    "rtp-2400:top": 3,
    "perspective-wiki2k:low": 6,
    "perspective-wiki2k:middle": 4,
    "perspective-wiki2k:high": 3,
    "perspective-wiki2k:top": 2,
    "toxigen-demos:low": 4,
    "toxigen-demos:top": 4,
    "advbench:top": 3,
    "catqa:middle": 1,
    "catqa:high": 1,
    "catqa:top": 4,
    "tdc2023:top": 1,
    "malicious-instruct:top": 1,
}


@dataclass(frozen=True)
class Core:
    """A labelled text that a window is made around; ``category`` is a place in ``CATEGORIES``, or None."""

    text: str
    target: np.ndarray
    category: int | None
    source: SourceText


@dataclass(frozen=True)
class Window:
    """A text to train on; ``core`` is the part of it that target and category speak of, as it stands there."""

    text: str
    core: str
    target: np.ndarray
    category: int | None
    source: SourceText


class Composer:
    """Draws windows; the same seed gives the same windows."""

    def __init__(self, texts: Iterable[SourceText], shares: dict[str, float] | None = None) -> None:
        """
        Raises:
            ValueError: a bucket without a share, or a share without a bucket.
        """
        shares = SHARES if shares is None else shares
        buckets: dict[str, list[Core]] = defaultdict(list)
        for text in texts:
            name = category_of(text)
            category = None if name is None else CATEGORIES.index(name)
            buckets[bucket_of(text)].append(Core(text.text, soft_target(text), category, text))
        if differing := set(buckets) ^ set(shares):
            raise ValueError(f"Shares and buckets of texts differ: {', '.join(sorted(differing))}")
        self._names = sorted(buckets)
        self._cores = [buckets[name] for name in self._names]
        self._shares = [shares[name] for name in self._names]
        self.context = [core.text for cores in self._cores for core in cores if _is_context(core)]

    def windows(self, count: int, seed: int, *, context_share: float = CONTEXT_SHARE) -> list[Window]:
        """So many windows. A bucket gives each of its texts once before it gives one again."""
        rng = random.Random(seed)
        decks: list[list[Core]] = [[] for _ in self._cores]
        drawn = []
        for bucket in rng.choices(range(len(self._cores)), self._shares, k=count):
            if not decks[bucket]:
                decks[bucket] = rng.sample(self._cores[bucket], len(self._cores[bucket]))
            drawn.append(self.window(decks[bucket].pop(), rng, context_share))
        return drawn

    def window(self, core: Core, rng: random.Random, context_share: float = CONTEXT_SHARE) -> Window:
        """A window around a text."""
        text = _cut(_recased(core.text, rng), LONGEST_CHARS, rng)
        inside = rng.random() < context_share and self.context
        whole = with_context(text, self.context, rng) if inside else text
        return Window(whole, text, core.target, core.category, core.source)


def with_context(text: str, context: Sequence[str], rng: random.Random) -> str:
    """The text at a random place among pieces of harmless text, up to a length drawn at random."""
    wanted = rng.randint(60, LONGEST_CHARS)
    parts = [text]
    while (room := wanted - sum(map(len, parts))) > 0:
        parts.insert(
            rng.randint(0, len(parts)), _cut(rng.choice(context), max(room, SHORTEST_CONTEXT_CHARS), rng)
        )
    return rng.choice(BETWEEN).join(parts)


def _is_context(core: Core) -> bool:
    if core.source.score is not None:
        return core.source.score == 0
    return core.source.source in CONTEXT_SOURCES and core.target.sum() < HARMLESS_BELOW


def _cut(text: str, most: int, rng: random.Random) -> str:
    """A run of the text's words of at most so many characters, from anywhere in it."""
    if len(text) <= most:
        return text
    start = rng.randrange(len(text) - most + 1)
    piece = text[start : start + most]
    if start:
        piece = piece.partition(" ")[2] or piece
    return piece.rpartition(" ")[0] or piece


def _recased(text: str, rng: random.Random) -> str:
    """Now and then in another case: web text is written in all of them."""
    drawn = rng.random()
    if drawn < LOWER_CASE:
        return text.lower()
    if drawn < LOWER_CASE + UPPER_CASE:
        return text.upper()
    if drawn < LOWER_CASE + UPPER_CASE + SENTENCE_CASE:
        return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")
    return text
