"""Annotated documents as windows of tokens, and what training makes of a document of many windows.

A page labelled 4 is mostly harmless, so its windows do not inherit its label. As its score is that of its worst window
(SP appendix B), its loss is that of the window that looks worst just now; the others are neither praised nor blamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from resources.encoder import TextEncoder
from safety_assets.harms import LEVELS
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.plain_text import plain_text
from safety_assets.scoring.weights import softmax

__all__ = ["WindowedDocuments", "batches", "windowed", "worst_windows"]


@dataclass(frozen=True)
class WindowedDocuments:
    """Documents with at least one window each.

    ``windows`` holds (tokens,) int32 ids without special ones, document after document; ``first`` (n + 1,) int is
    where a document's windows begin; ``scores`` (n,) int 0-5.
    """

    windows: Sequence[np.ndarray]
    first: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) windows of some documents (k,), and (m,) which of the k each is of, in ascending order."""
        rows = [np.arange(self.first[index], self.first[index + 1]) for index in documents]
        return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(own) for own in rows])


def windowed(encoder: TextEncoder, examples: Examples, window_tokens: int) -> WindowedDocuments:
    """Examples as they are read when they are scored; one without a token is left out."""
    texts = [plain_text(text).text for text in examples.texts]
    windows, spans = encoder.token_windows(texts, max_tokens=window_tokens)
    documents, first = np.unique(spans[:, 0], return_index=True)
    return WindowedDocuments(windows, np.append(first, len(windows)), examples.scores[documents])


def worst_windows(logits: np.ndarray, document: np.ndarray) -> np.ndarray:
    """(documents,) row of each document's window with the highest mean level.

    Args:
        logits: (windows, 6).
        document: (windows,) int from 0, ascending, without gaps.
    """
    expected = softmax(np.asarray(logits, np.float64)) @ np.array(LEVELS)
    order = np.lexsort((expected, document))
    return order[np.append(np.diff(document[order]) > 0, True)]


def batches(documents: int, size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """All documents in the order of an epoch, ``size`` at a time."""
    order = np.random.default_rng([seed, epoch]).permutation(documents)
    for start in range(0, documents, size):
        yield order[start : start + size]
