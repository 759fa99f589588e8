"""The packaged seeds as annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.lake import UNPARTITIONED
from safety_assets.corpus.identity import text_hash
from safety_assets.harms import ScoreState
from safety_assets.sample_data.sample import load_seeds

__all__ = ["SEED_LABELLER", "seed_rows"]

SEED_LABELLER = "packaged-seeds"
# Raised when a packaged label changes.
SEED_VERSION = "1"


def seed_rows() -> Iterator[dict[str, Any]]:
    """Rows of ``safety_annotations``, one for each packaged seed."""
    for seed in load_seeds():
        yield {
            "shard": UNPARTITIONED,
            "annotation_id": seed.id,
            "text": seed.text,
            "text_hash": text_hash(seed.text),
            "score": seed.score,
            "category": seed.category.value,
            "split": seed.split.value,
            "state": ScoreState.SCORED.value,
            "labeller": SEED_LABELLER,
            "labeller_version": SEED_VERSION,
        }
