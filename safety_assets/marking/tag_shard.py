"""Tagging a shard: every document scored unsafe, and where in it the harmfulness tag goes (SP section 4, algorithm 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.lake import Lake, PartitionVersion, Provenance
from safety_assets.batches import record_batches
from safety_assets.harms import FIRST_UNSAFE_LEVEL, LEVELS
from safety_assets.marking.tags import tag_positions
from safety_assets.sentences import count_words

__all__ = ["tag_shard"]


def tag_shard(
    lake: Lake, versions: Mapping[str, PartitionVersion], provenance: Provenance, *, rate: float, seed: int
) -> PartitionVersion:
    """Replace the partition's rows of ``tagged_corpus``; the text itself stays where it is.

    Raises:
        LakeError: the lake cannot be read or written; it is left as it was.
    """
    rows = _rows(lake, versions, provenance.partition, rate, seed)
    return lake.replace_partition(
        "tagged_corpus", record_batches(rows, lake.schema("tagged_corpus")), provenance
    )


def _rows(
    lake: Lake, versions: Mapping[str, PartitionVersion], shard: str, rate: float, seed: int
) -> Iterator[dict[str, Any]]:
    parameters = {"partition": shard, "lowest": int(FIRST_UNSAFE_LEVEL), "highest": LEVELS[-1]}
    with lake.report("documents_between_scores", parameters, versions=versions, batch_rows=64) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                # Keyed by document and text, so that neither shard nor order has a say.
                key = f"{row['document_id']} {row['text_hash']}"
                yield {
                    "shard": shard,
                    "document_id": row["document_id"],
                    "text_hash": row["text_hash"],
                    "safety_score": row["safety_score"],
                    "category": row["category"],
                    "words": count_words(row["text"]),
                    "rate": rate,
                    "seed": seed,
                    "positions": tag_positions(row["text"], key=key, rate=rate, seed=seed).tolist(),
                }
