"""From a shard's file to rows of ``fineweb`` and ``quarantine``: every row ends in exactly one of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from resources.lake import Lake, PartitionVersion, Provenance
from safety_assets.corpus.documents import read_documents

__all__ = ["Ingest", "ingest_shard"]


@dataclass
class Ingest:
    """What came of a shard's rows."""

    version: PartitionVersion
    rows_read: int = 0
    tokens: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


def ingest_shard(path: Path, lake: Lake, provenance: Provenance) -> Ingest:
    """Validate a shard and put it in the lake, documents and quarantine in one transaction.

    Raises:
        UnreadableShard: the file cannot be read to its end; the lake is left as it was.
        LakeError: the lake cannot be written.
    """
    rows_read, tokens, rejected = 0, 0, Counter[str]()
    # Quarantined rows are small and wait here while documents stream past; the file is gone with the block.
    with tempfile.TemporaryFile(prefix="quarantine-") as spool:
        writer: pa.RecordBatchStreamWriter | None = None

        def documents() -> Iterator[pa.RecordBatch]:
            nonlocal rows_read, tokens, writer
            for batch in read_documents(path, provenance.partition):
                rows_read += batch.rows
                rejected.update(batch.quarantined.column("reason").to_pylist())
                tokens += sum(count or 0 for count in batch.documents.column("token_count").to_pylist())
                writer = writer or pa.ipc.new_stream(spool, batch.quarantined.schema)
                writer.write_batch(batch.quarantined)
                yield batch.documents

        def quarantined() -> Iterator[pa.RecordBatch]:
            if writer is not None:
                writer.close()
                spool.seek(0)
                yield from pa.ipc.open_stream(spool)

        versions = lake.replace_partitions({"fineweb": documents(), "quarantine": quarantined()}, provenance)
    return Ingest(versions["fineweb"], rows_read, tokens, rejected)
