"""Scoring a shard: documents stream in, rows of ``scored_fineweb`` and ``segment_labels`` stream out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from resources.lake import Lake, PartitionVersion, Provenance
from safety_assets.scoring.scorer import DocumentScore, DocumentScorer

__all__ = ["score_shard"]

# Documents scored together: enough to fill length-sorted batches, few enough to keep memory flat.
GROUP_DOCUMENTS = 256
SEGMENT_LABELLER = "embedding-classifier"
COLUMNS = ("document_id", "text_hash", "text")


def score_shard(
    lake: Lake, versions: Mapping[str, PartitionVersion], scorer: DocumentScorer, provenance: Provenance
) -> PartitionVersion:
    """Score every document of a partition and replace its rows in both tables, in one transaction.

    Raises:
        LakeError: the lake cannot be read or written; it is left as it was.
        LanguageModelError: the language model cannot be used; finished answers stay committed.
    """
    shard = provenance.partition
    # Segment rows are written aside while document rows stream past, and follow in the same transaction.
    with tempfile.TemporaryFile(prefix="segments-") as spool:
        schema = lake.schema("segment_labels")
        writer = pa.ipc.new_stream(spool, schema)

        def scored() -> Iterator[pa.RecordBatch]:
            snapshot_id = versions["fineweb"].snapshot_id
            with lake.read(
                "fineweb",
                partition=shard,
                columns=COLUMNS,
                snapshot_id=snapshot_id,
                batch_rows=GROUP_DOCUMENTS,
            ) as reader:
                for batch in reader:
                    documents = batch.to_pylist()
                    scores = scorer.score([(row["document_id"], row["text"]) for row in documents])
                    pairs = list(zip(documents, scores, strict=True))
                    writer.write_batch(
                        pa.RecordBatch.from_pylist(_segment_rows(shard, pairs, scorer), schema=schema)
                    )
                    rows = [_score_row(shard, row, score, scorer) for row, score in pairs]
                    yield pa.RecordBatch.from_pylist(rows, schema=lake.schema("scored_fineweb"))

        def segments() -> Iterator[pa.RecordBatch]:
            writer.close()
            spool.seek(0)
            yield from pa.ipc.open_stream(spool)

        return lake.replace_partitions(
            {"scored_fineweb": scored(), "segment_labels": segments()}, provenance
        )["scored_fineweb"]


def _score_row(
    shard: str, row: Mapping[str, Any], score: DocumentScore, scorer: DocumentScorer
) -> dict[str, Any]:
    return {
        "shard": shard,
        "document_id": row["document_id"],
        "text_hash": row["text_hash"],
        "tokens": score.tokens,
        "safety_score": score.score,
        "state": score.state,
        "ensemble": scorer.ensemble,
        "category": score.category,
        "category_probability": score.category_probability,
        "reason": score.reason,
        "embedding_score": score.embedding_score,
        "embedding_state": score.embedding_state,
        "embedding_probabilities": score.probabilities,
        "embedding_version": scorer.embedding_version,
        "llm_score": score.llm_score,
        "llm_state": score.llm_state,
        "llm_log_probabilities": score.llm_log_probabilities,
        "llm_version": scorer.llm_version,
    }


def _segment_rows(
    shard: str, pairs: Sequence[tuple[Mapping[str, Any], DocumentScore]], scorer: DocumentScorer
) -> list[dict[str, Any]]:
    return [
        {
            "shard": shard,
            "document_id": row["document_id"],
            "text_hash": row["text_hash"],
            "char_start": segment.char_start,
            "char_end": segment.char_end,
            "labeller": SEGMENT_LABELLER,
            "labeller_version": scorer.embedding_version,
            "score": segment.score,
            "probabilities": segment.probabilities,
        }
        for row, score in pairs
        for segment in score.segments
    ]
