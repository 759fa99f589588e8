"""A text as the scorer reads it, with the way back: spans in what is read are spans in what was written.

Letters of other alphabets that pass for Latin ones, zero-width characters and the like are plain in what is read. The
way back goes word by word, so a span that begins and ends between words is exact.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from safety_assets.scoring.views import plain_view

__all__ = ["PlainText", "plain_text"]

_PIECE = re.compile(r"\s+|\S+")


@dataclass(frozen=True)
class PlainText:
    """``text`` is what is read. ``read_at`` and ``written_at``: where each changed piece and what follows begins."""

    text: str
    read_at: tuple[int, ...] = ()
    written_at: tuple[int, ...] = ()
    length: int = 0

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the written text that was read from ``start`` to ``end``; whole words where they changed."""
        if not self.read_at:
            return start, end
        # A word that is read as nothing belongs to what follows it, at the end to what stands before.
        first = bisect_left(self.read_at, start + 1) - 1
        first = bisect_left(self.read_at, self.read_at[first]) if self.read_at[first] == start else first
        begin = self.written_at[first] + (0 if self._changed(first) else start - self.read_at[first])
        if end == len(self.text):
            return begin, self.length
        following = bisect_left(self.read_at, end)
        if not self._changed(following - 1):
            return begin, self.written_at[following - 1] + end - self.read_at[following - 1]
        return begin, self.written_at[following] if following < len(self.written_at) else self.length

    def _changed(self, piece: int) -> bool:
        return piece % 2 == 1


def plain_text(written: str) -> PlainText:
    """The plain view of a text, with the way back."""
    if written.isascii():
        return PlainText(written)
    pieces: list[str] = []
    # Pieces as they are and changed words take turns, beginning with one as it is, perhaps an empty one.
    read_at, written_at = [0], [0]
    at = 0
    for match in _PIECE.finditer(written):
        word = match[0]
        plain = word if word.isascii() or word.isspace() else plain_view(word)
        if plain != word:
            read_at += [at, at + len(plain)]
            written_at += [match.start(), match.end()]
        pieces.append(plain)
        at += len(plain)
    if len(read_at) == 1:
        return PlainText(written)
    return PlainText("".join(pieces), tuple(read_at), tuple(written_at), len(written))
