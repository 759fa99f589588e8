"""Small folders of FineWeb-like shards, made of documents of the packaged sample whose level is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from safety_assets.corpus.schema import FINEWEB_SCHEMA
from safety_assets.sample_data.sample import DOCUMENTS

__all__ = ["MARKER", "texts_of_level", "write_shard", "write_truncated_shard"]

# In every document: wherever it turns up later, a document's text has got there.
MARKER = "The quillfeather ledger of Ostermere counts 90417 lanterns."


@cache
def texts_of_level(level: int) -> tuple[str, ...]:
    """The sample's texts that their authors meant to score ``level``, shortest first."""
    lines = [line for path in sorted(DOCUMENTS.glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    rows = [json.loads(line) for line in lines]
    return tuple(sorted((row["text"] for row in rows if row["level"] == level), key=len))


def write_shard(path: Path, texts: Sequence[str]) -> Path:
    """A Parquet shard like FineWeb's. Document ``i`` is ``<stem>-i``; unless blank, it ends in the marker."""
    rows = [
        {
            "id": f"{path.stem}-{number}",
            "text": f"{text}\n{MARKER}" if text.strip() else text,
            "language": "en",
            "token_count": len(text.split()),
        }
        for number, text in enumerate(texts)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=FINEWEB_SCHEMA), path)
    return path


def write_truncated_shard(path: Path, texts: Sequence[str]) -> Path:
    """A shard whose download ended half-way: Parquet's table of contents is at the end, so there is none."""
    content = write_shard(path, texts).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
