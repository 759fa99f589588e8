"""Made-up rows for any table of the lake, and a process that writes them until it is done or killed.

``python -m tests.support.lake_writer CATALOG DATA_PATH PLAN`` does what PLAN (a :class:`Plan` as JSON) says
and prints one JSON line per commit. All rows of one write carry the same mark, so that a mixture of two
writes, a lost one or a doubled one can be told from the rows alone.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_lowercase

import pyarrow as pa

from resources.lake import Lake, LakeSettings, Provenance

__all__ = ["MARK", "TABLE", "Plan", "batches", "by", "filled", "start"]

ROOT = Path(__file__).resolve().parents[2]
# A narrow table, and the text column that holds the mark; nothing here depends on what they mean.
TABLE = "segment_labels"
MARK = "text_hash"


@dataclass(frozen=True)
class Plan:
    """One process: ``writes`` writes (0: until killed) of ``rows`` rows, in turn over ``partitions``."""

    writer: str
    partitions: Sequence[str]
    rows: int
    writes: int = 0
    append: bool = False


def by(partition: str, asset_key: str = "test") -> Provenance:
    """Provenance of a write in a test."""
    return Provenance(asset_key, partition, "run-of-a-test")


def filled(
    schema: pa.Schema, partition: str, rows: int, mark: str = "m", text: list[str] | None = None
) -> pa.RecordBatch:
    """One record batch with a value in every column: the partition, the mark, or something of its type."""
    arrays = []
    for column in schema:
        if column.name == "shard":
            values = [partition] * rows
        elif column.name == MARK:
            values = [mark] * rows
        elif column.name == "text" and text is not None:
            values = text
        elif pa.types.is_integer(column.type):
            values = [number % 100 for number in range(rows)]
        elif pa.types.is_large_string(column.type):
            values = [f"{column.name}-{number}" for number in range(rows)]
        elif pa.types.is_large_list(column.type) or pa.types.is_list(column.type):
            values = [[]] * rows
        else:
            values = [None] * rows
        arrays.append(pa.array(values, type=column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def batches(
    schema: pa.Schema,
    partition: str,
    rows: int,
    mark: str = "m",
    text_chars: int = 0,
    batch_rows: int = 1_024,
) -> Iterator[pa.RecordBatch]:
    """Batches of :func:`filled`; with ``text_chars``, random words of about that length as the text."""
    chance = random.Random(mark)
    words = ["".join(chance.choices(ascii_lowercase, k=chance.randint(2, 9))) for _ in range(text_chars * 5)]
    for start_row in range(0, rows, batch_rows):
        count = min(batch_rows, rows - start_row)
        text = (
            [" ".join(chance.choices(words, k=text_chars * 2 // 13)) for _ in range(count)] if words else None
        )
        yield filled(schema, partition, count, mark, text)


def start(settings: LakeSettings, plan: Plan) -> subprocess.Popen[str]:
    """Start a writer; read its commits from ``stdout``, one JSON line each."""
    command = [sys.executable, "-m", "tests.support.lake_writer", settings.catalog, settings.data_path]
    return subprocess.Popen(
        [*command, json.dumps(asdict(plan))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def write(lake: Lake, plan: Plan) -> None:
    """Carry out a plan, printing each commit."""
    schema = lake.schema(TABLE)
    for number in itertools.count() if plan.writes == 0 else range(plan.writes):
        partition, mark = plan.partitions[number % len(plan.partitions)], f"{plan.writer}:{number}"
        if plan.append:
            snapshot = lake.append(TABLE, filled(schema, partition, plan.rows, mark), by(partition))
        else:
            rows = batches(schema, partition, plan.rows, mark)
            snapshot = lake.replace_partition(TABLE, rows, by(partition)).snapshot_id
        print(json.dumps({"partition": partition, "mark": mark, "snapshot": snapshot}), flush=True)


if __name__ == "__main__":
    write(Lake(LakeSettings(sys.argv[1], sys.argv[2])), Plan(**json.loads(sys.argv[3])))
