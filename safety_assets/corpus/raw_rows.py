"""Streams the rows of a shard file, Parquet or JSON Lines, in FineWeb's columns.

A row that cannot be brought into these columns is carried on as rejected. Which of the others are documents
is decided in ``documents.py``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from safety_assets.corpus.conform import Rejections, conform_column, conform_text, conform_values, holds_text
from safety_assets.corpus.schema import FINEWEB_SCHEMA, RejectReason, UnreadableShard

__all__ = ["RawRows", "jsonl_rows", "parquet_rows"]

READ_BYTES = 1 << 20
# A batch is cut short where it would hold more than this, so that long rows do not add up.
BATCH_BYTES = 16 << 20
# In JSON one character takes up to 12 bytes (an escaped surrogate pair); the rest is for the other columns.
JSON_BYTES_PER_CHAR = 12
OTHER_COLUMNS_BYTES = 1 << 20
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
NO_TEXT = "it has no column named text. Rename the one that holds the documents, or take the file away."


@dataclass(frozen=True)
class RawRows:
    """Some rows of a shard.

    Attributes:
        columns: FINEWEB_SCHEMA, valid UTF-8; a value that could not be had is null.
        texts: (rows,) large_binary, each text as it came.
        row_numbers: (rows,) place in the shard.
        rejected: row in this batch -> why it is rejected.
        line_bytes: row in this batch -> length of its line, where no text could be taken from it.
    """

    columns: pa.RecordBatch
    texts: pa.Array
    row_numbers: list[int]
    rejected: Rejections = field(default_factory=dict)
    line_bytes: Mapping[int, int] = field(default_factory=dict)


def parquet_rows(path: Path, shard: str, batch_rows: int) -> Iterator[RawRows]:
    """The rows of a Parquet file; memory holds one batch and the pages it lies in.

    Raises:
        UnreadableShard: no text column, a column twice, or fewer rows than the footer promises.
        OSError, ValueError, pyarrow.ArrowException: not a Parquet file, or a damaged one.
    """
    with pq.ParquetFile(
        path, pre_buffer=False, buffer_size=READ_BYTES, page_checksum_verification=True
    ) as file:
        present = [name for name in file.schema_arrow.names if name in FINEWEB_SCHEMA.names]
        if len(present) > len(set(present)):
            raise UnreadableShard(shard, "it has a column twice. Write the file again with each column once.")
        if "text" not in present:
            raise UnreadableShard(shard, NO_TEXT)
        read = 0
        for batch in file.iter_batches(_rows_at_once(file, batch_rows), columns=present, use_threads=False):
            numbers = list(range(read, read + batch.num_rows))
            read += batch.num_rows
            columns = {name: batch.column(name) for name in present}
            yield _conformed(columns, numbers)
        if read != file.metadata.num_rows:
            raise UnreadableShard(
                shard, f"it holds {read} rows and its footer says {file.metadata.num_rows}. Fetch it again."
            )


def jsonl_rows(path: Path, shard: str, batch_rows: int, max_chars: int) -> Iterator[RawRows]:
    """The rows of a JSON Lines file, plain, gzip or zstd; blank lines are none.

    Raises:
        UnreadableShard: none of the first rows has a text, or a compressed file is empty.
        OSError: the file is damaged or cut short.
    """
    longest = JSON_BYTES_PER_CHAR * max_chars + OTHER_COLUMNS_BYTES
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression and path.stat().st_size == 0:
        raise UnreadableShard(shard, f"it is empty, which no {compression} file is. Fetch it again.")
    with (
        pa.input_stream(str(path), compression=compression) as raw,
        io.BufferedReader(raw, READ_BYTES) as stream,
    ):
        first = True
        for lines in _batches(_lines(stream, longest), batch_rows):
            rows = [_parsed(line) for _, line, _ in lines]
            if first and any(rows) and not any(row and "text" in row for row in rows):
                raise UnreadableShard(shard, NO_TEXT)
            first = False
            yield _from_objects(lines, rows)


def _conformed(columns: Mapping[str, pa.Array], numbers: list[int]) -> RawRows:
    """Parquet's columns as they are -> FineWeb's."""
    arrays, rejected = [], {}
    for wanted in FINEWEB_SCHEMA:
        column = columns.get(wanted.name)
        if column is None:
            array, bad = pa.nulls(len(numbers), wanted.type), {}
        else:
            array, bad = (conform_text if wanted.name == "text" else conform_column)(column, wanted)
        arrays.append(array)
        rejected = _merged(rejected, bad)
    text = columns["text"]
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    texts = (
        text.cast(pa.large_binary()) if holds_text(text.type) else pa.nulls(len(numbers), pa.large_binary())
    )
    return RawRows(pa.RecordBatch.from_arrays(arrays, schema=FINEWEB_SCHEMA), texts, numbers, rejected)


def _from_objects(lines: list[tuple[int, bytes | None, int]], rows: list[dict | None]) -> RawRows:
    """Parsed lines -> FineWeb's columns. A line that is None was too long to be read."""
    rejected, line_bytes = {}, {}
    texts: list[str | None] = []
    for place, ((_, line, size), row) in enumerate(zip(lines, rows, strict=True)):
        text = row.get("text") if row is not None else None
        if row is None:
            rejected[place] = RejectReason.MALFORMED_JSON if line is not None else RejectReason.TOO_LONG
            line_bytes[place] = size
        elif text is not None and not isinstance(text, str):
            rejected[place], text = RejectReason.WRONG_TYPE, None
        texts.append(text)
    arrays = []
    for wanted in FINEWEB_SCHEMA:
        values = texts if wanted.name == "text" else [row.get(wanted.name) if row else None for row in rows]
        array, bad = conform_values(values, wanted)
        arrays.append(array)
        rejected = _merged(rejected, bad)
    # A lone surrogate has no UTF-8 form; this one still gives the same text the same hash.
    raw = [None if text is None else text.encode("utf-8", "surrogatepass") for text in texts]
    return RawRows(
        pa.RecordBatch.from_arrays(arrays, schema=FINEWEB_SCHEMA),
        pa.array(raw, pa.large_binary()),
        [number for number, _, _ in lines],
        rejected,
        line_bytes,
    )


def _parsed(line: bytes | None) -> dict | None:
    if line is None:
        return None
    try:
        # Bytes that are not UTF-8 become lone surrogates, so that only their own column is found invalid.
        row = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _lines(stream: io.BufferedReader, longest: int) -> Iterator[tuple[int, bytes | None, int]]:
    """(number, line, bytes) of each line that is not blank; a line longer than ``longest`` is None."""
    number = -1
    while line := stream.readline(longest):
        number += 1
        size, whole = len(line), line
        while len(line) == longest and not line.endswith(b"\n"):
            line, whole = stream.readline(longest), None
            size += len(line)
        if whole is not None and number == 0:
            whole = whole.removeprefix(b"\xef\xbb\xbf")
        if whole is None or not (whole.isspace() or whole == b""):
            yield number, whole, size


def _batches(lines: Iterator[tuple[int, bytes | None, int]], batch_rows: int) -> Iterator[list]:
    batch, held = [], 0
    for entry in lines:
        batch.append(entry)
        held += entry[2]
        if len(batch) == batch_rows or held > BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _rows_at_once(file: pq.ParquetFile, batch_rows: int) -> int:
    total = sum(
        file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups)
    )
    mean = total / max(1, file.metadata.num_rows)
    return max(1, min(batch_rows, int(BATCH_BYTES / max(mean, 1))))


def _merged(rejected: Rejections, more: Rejections) -> Rejections:
    """Both, the graver reason where a row has two."""
    order = list(RejectReason)
    both = dict(rejected)
    for row, reason in more.items():
        both[row] = min(reason, both.get(row, reason), key=order.index)
    return both
