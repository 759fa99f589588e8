"""Reads a shard as validated documents and quarantined rows, batch by batch.

Every row is one or the other. Texts pass through unchanged, control tokens and all: who renders or tokenises
a text neutralises them. Nothing of a text's content gets into the quarantine or an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from safety_assets.corpus.conform import Rejections
from safety_assets.corpus.identity import SeenIds, document_ids, text_hashes
from safety_assets.corpus.raw_rows import RawRows, jsonl_rows, parquet_rows
from safety_assets.corpus.schema import (
    DOCUMENT_SCHEMA,
    FINEWEB_SCHEMA,
    MAX_CHARS,
    QUARANTINE_SCHEMA,
    RejectReason,
    UnreadableShard,
)

__all__ = ["ShardBatch", "read_documents"]

BATCH_ROWS = 256
JSONL_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz")


@dataclass(frozen=True)
class ShardBatch:
    """Consecutive rows of a shard, in their order.

    Attributes:
        documents: the valid rows, DOCUMENT_SCHEMA.
        quarantined: the rejected rows, QUARANTINE_SCHEMA.
    """

    documents: pa.RecordBatch
    quarantined: pa.RecordBatch

    @property
    def rows(self) -> int:
        """How many rows of the shard this batch accounts for."""
        return self.documents.num_rows + self.quarantined.num_rows


def read_documents(
    path: Path, shard: str, *, max_chars: int = MAX_CHARS, batch_rows: int = BATCH_ROWS
) -> Iterator[ShardBatch]:
    """Stream a shard. Memory holds a batch, and a digest of every id so far.

    Columns other than text may be missing: they are filled with nulls. A missing id is made from the text.
    Values are cast to their column's type where that loses nothing.

    Args:
        path: local Parquet or JSON Lines file (plain, ``.gz``, ``.zst``); its name tells which.
        shard: the shard's key, put into every row.
        max_chars: longer texts are rejected.
        batch_rows: most rows of a batch; fewer where rows are long.

    Raises:
        UnreadableShard: there is no text column, or the file is damaged or cut short. Batches may have been
            given out before; use none of them.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        rows = parquet_rows(path, shard, batch_rows)
    elif name.endswith(JSONL_SUFFIXES):
        rows = jsonl_rows(path, shard, batch_rows, max_chars)
    else:
        raise UnreadableShard(shard, f"its name must end in .parquet or one of {', '.join(JSONL_SUFFIXES)}.")
    seen = SeenIds()
    for raw in _whole(rows, shard):
        yield _validated(raw, shard, seen, max_chars)


def _whole(rows: Iterator[RawRows], shard: str) -> Iterator[RawRows]:
    """The same rows. Libraries quote what they stumble over, so their errors are replaced, not chained."""
    try:
        yield from rows
    except FileNotFoundError:
        raise UnreadableShard(shard, "there is no such file. Fetch it again.") from None
    except PermissionError:
        raise UnreadableShard(shard, "access is denied. Give read access.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        kind = type(error).__name__
        raise UnreadableShard(
            shard, f"it is damaged, cut short or not what its name says ({kind}). Fetch it again."
        ) from None


def _validated(raw: RawRows, shard: str, seen: SeenIds, max_chars: int) -> ShardBatch:
    rows = raw.columns.num_rows
    hashes = text_hashes(raw.texts)
    ids = document_ids(raw.columns.column("id"), hashes, shard, raw.row_numbers)
    chars = pc.utf8_length(raw.columns.column("text"))
    rejected = _rejected(raw, chars, max_chars)
    for row, document_id in enumerate(ids):
        if row not in rejected and not seen.add(document_id):
            rejected[row] = RejectReason.DUPLICATE_ID
    arrays = dict(zip(FINEWEB_SCHEMA.names, raw.columns.columns, strict=True))
    arrays |= {
        "document_id": pa.array(ids, pa.string()),
        "text_hash": pa.array(hashes, pa.string()),
        "shard": pa.repeat(pa.scalar(shard, pa.string()), rows),
        "row_number": pa.array(raw.row_numbers, pa.int64()),
    }
    documents = pa.RecordBatch.from_arrays(
        [arrays[name] for name in DOCUMENT_SCHEMA.names], schema=DOCUMENT_SCHEMA
    )
    if rejected:
        documents = documents.filter(pa.array([row not in rejected for row in range(rows)]))
    return ShardBatch(documents, _quarantined(raw, shard, ids, hashes, chars, rejected))


def _rejected(raw: RawRows, chars: pa.Array, max_chars: int) -> Rejections:
    """What the reader rejected, and what the text alone shows."""
    text = raw.columns.column("text")
    rejected = dict(raw.rejected)
    for fault, reason in (
        (pc.is_null(text), RejectReason.NULL_TEXT),
        (pc.or_(pc.equal(chars, 0), pc.utf8_is_space(text)), RejectReason.EMPTY_TEXT),
        (pc.greater(chars, max_chars), RejectReason.TOO_LONG),
    ):
        for row in pc.indices_nonzero(pc.fill_null(fault, False)).to_pylist():
            rejected.setdefault(row, reason)
    return rejected


def _quarantined(
    raw: RawRows, shard: str, ids: list[str], hashes: list[str | None], chars: pa.Array, rejected: Rejections
) -> pa.RecordBatch:
    places = sorted(rejected)
    sizes = pc.binary_length(raw.texts)
    columns = {
        "shard": [shard] * len(places),
        "row_number": [raw.row_numbers[row] for row in places],
        "document_id": [ids[row] for row in places],
        "reason": [rejected[row].value for row in places],
        "text_hash": [hashes[row] for row in places],
        "bytes": [raw.line_bytes.get(row, sizes[row].as_py()) for row in places],
        "chars": [chars[row].as_py() for row in places],
    }
    return pa.RecordBatch.from_pydict(columns, schema=QUARANTINE_SCHEMA)
