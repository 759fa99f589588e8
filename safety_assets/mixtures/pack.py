"""Packing: rendered texts, end to end, into windows of equal length that remember where their tokens came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from safety_assets.rendering.renderer import Rendered

__all__ = ["Source", "Window", "pack"]


@dataclass(frozen=True)
class Source:
    """Which document a text comes from. ``text_hash`` is of the source document's text."""

    dataset: str
    source_shard: str
    document_id: str
    text_hash: str


@dataclass(frozen=True)
class Window:
    """One training example.

    Attributes:
        token_ids: (context + 1,) uint16.
        loss_mask: (context + 1,) bool, true where the token is to be predicted.
        spans: what its tokens came from, in order: source, characters and tokens from-to.
    """

    token_ids: np.ndarray
    loss_mask: np.ndarray
    spans: list[dict[str, Any]]


def pack(texts: Iterable[tuple[Source, Rendered]], length: int) -> Iterator[Window]:
    """Windows of ``length`` tokens. A text runs on into the next window; an unfinished last window is dropped."""
    ids, loss, spans, filled = np.empty(length, np.uint16), np.empty(length, bool), [], 0
    for source, rendered in texts:
        taken = 0
        while taken < len(rendered):
            count = min(length - filled, len(rendered) - taken)
            ids[filled : filled + count] = rendered.ids[taken : taken + count]
            loss[filled : filled + count] = rendered.loss[taken : taken + count]
            spans.append(_span(source, rendered, taken, taken + count, filled))
            filled, taken = filled + count, taken + count
            if filled == length:
                yield Window(ids, loss, spans)
                ids, loss, spans, filled = np.empty(length, np.uint16), np.empty(length, bool), [], 0


def _span(source: Source, rendered: Rendered, first: int, last: int, at: int) -> dict[str, Any]:
    return {
        "dataset": source.dataset,
        "source_shard": source.source_shard,
        "document_id": source.document_id,
        "text_hash": source.text_hash,
        "char_start": rendered.char_at(first),
        "char_end": rendered.char_at(last),
        "token_start": at,
        "token_end": at + last - first,
    }
