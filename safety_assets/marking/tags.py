"""Where the harmfulness tag goes (SP section 4, algorithm 2): before words of unsafe text, at a low rate.

Positions stand beside the text, which is never changed. The tag comes before the white space in front of its word, so
that the word keeps the tokens it usually has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

__all__ = ["DEFAULT_TAG_RATE", "split_at", "tag_positions"]

# Of 3, 5 and 10 % the best (SP section 4).
DEFAULT_TAG_RATE = 0.05

# Every white-space character of Unicode lies below this code point, as str.isspace has it.
_LAST_SPACE = 0x3000
# The entry after the last stands for all code points above.
_IS_SPACE = np.array([chr(code).isspace() for code in range(_LAST_SPACE + 1)] + [False])


def tag_positions(text: str, *, key: str, rate: float = DEFAULT_TAG_RATE, seed: int = 0) -> np.ndarray:
    """Character offsets of tags in a document: ends of words that another word follows, ascending, int64.

    Args:
        key: identifies the document; with ``seed`` it decides the draw, so that neither order nor sharding does.
        rate: probability of a tag before each word but the first.

    Raises:
        ValueError: a rate outside 0 to 1.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"The tag rate must lie between 0 and 1, not be {rate}.")
    places = _word_ends(text)[:-1]
    digest = hashlib.blake2b(f"{seed}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    draw = np.random.Generator(np.random.PCG64(int.from_bytes(digest)))
    return places[draw.random(len(places)) < rate]


def split_at(text: str, positions: Sequence[int] | np.ndarray) -> list[str]:
    """The text cut at ascending offsets: one piece more than there are positions; joined they are the text."""
    bounds = [0, *(int(position) for position in positions), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _word_ends(text: str) -> np.ndarray:
    """(words,) int64: the offset after each run of characters that are not white space."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    space = _IS_SPACE.take(codes, mode="clip")
    ends = np.flatnonzero(space[1:] > space[:-1]) + 1
    if len(codes) and not space[-1]:
        ends = np.append(ends, len(codes))
    return ends.astype(np.int64)
