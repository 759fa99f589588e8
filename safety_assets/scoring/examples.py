"""Annotated documents as the classifier sees them, to train, calibrate and test on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.lake import Lake
from safety_assets.annotation.seeds import SEED_LABELLER

__all__ = ["Examples", "examples_of", "learned_texts"]


@dataclass(frozen=True)
class Examples:
    """Labelled texts: ``scores`` (n,) int 0-5, ``categories`` and ``splits`` (n,) names.

    ``seeds`` (n,) bool marks packaged texts, which the packaged classifier has learned from.
    """

    texts: Sequence[str]
    scores: np.ndarray
    categories: np.ndarray
    splits: np.ndarray
    seeds: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, keep: np.ndarray) -> Examples:
        """The examples where ``keep`` (n,) is true."""
        texts = [text for text, kept in zip(self.texts, keep, strict=True) if kept]
        return Examples(texts, self.scores[keep], self.categories[keep], self.splits[keep], self.seeds[keep])

    def split(self, name: str) -> Examples:
        """The examples of a split: train, calibration or test."""
        return self.part(self.splits == name)

    @property
    def own(self) -> Examples:
        """Those that are not packaged."""
        return self.part(~self.seeds)


def examples_of(rows: Sequence[Mapping[str, Any]]) -> Examples:
    """Rows of ``safety_annotations`` as examples."""
    return Examples(
        texts=[row["text"] for row in rows],
        scores=np.array([row["score"] for row in rows], int),
        categories=np.array([row["category"] for row in rows], object),
        splits=np.array([row["split"] for row in rows], object),
        seeds=np.array([row["labeller"] == SEED_LABELLER for row in rows], bool),
    )


def learned_texts(lake: Lake) -> set[str]:
    """Hashes of the texts that the newest classifier was trained or calibrated on: annotations may have changed since."""
    found = lake.rows("newest_classifier")
    if not found:
        return set()
    snapshot = found[0]["annotations_snapshot_id"]
    with lake.read("safety_annotations", columns=("text_hash", "split"), snapshot_id=snapshot) as reader:
        rows = reader.read_all().to_pylist()
    return {row["text_hash"] for row in rows if row["split"] != "test"}
