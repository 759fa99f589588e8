"""Grouping iterables, and turning rows into Arrow batches, for work that is done many items at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

__all__ = ["groups", "record_batches"]

Item = TypeVar("Item")
# Rows of one Arrow batch on its way into the lake.
BATCH_ROWS = 256


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of up to ``size`` consecutive items, drawn lazily."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def record_batches(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows as batches of a table's schema, lazily. A row without one of the columns has null there."""
    for group in groups(rows, BATCH_ROWS):
        yield pa.RecordBatch.from_pylist([dict(row) for row in group], schema=schema)
