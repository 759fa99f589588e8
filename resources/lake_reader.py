"""The reading half of the lake: streams, small reports, table schemas and versions.

Every read runs on a cursor of its own, so threads read side by side, also while one of them writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from resources.duckdb_text import gist, identifier
from resources.errors import LakeError
from resources.lake_records import UNPARTITIONED, PartitionVersion
from resources.statements import statement

__all__ = ["LakeReader"]

READ_BATCH_ROWS = 1_024


class LakeReader:
    """What can be asked of an attached catalog. :class:`resources.lake.Lake` adds writing and gates."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._schemas: dict[str, pa.Schema] = {}

    @contextmanager
    def read(
        self,
        table: str,
        *,
        partition: str | None = None,
        columns: Sequence[str] | None = None,
        snapshot_id: int | None = None,
        order_by: str | None = None,
        batch_rows: int = READ_BATCH_ROWS,
    ) -> Iterator[pa.RecordBatchReader]:
        """Stream rows as Arrow record batches of at most ``batch_rows`` rows; strings are ``large_string``.

        All batches are of one snapshot, whatever is written meanwhile.

        Args:
            partition: only rows of this shard; None reads all.
            snapshot_id: read the table as it was at this snapshot; None reads the newest.
            order_by: a column, where the order matters; sorting holds the partition in memory.

        Raises:
            LakeError: no such table, column or snapshot, or a file that cannot be read.
        """
        chosen = ", ".join(identifier(column) for column in columns) if columns else "*"
        at = "" if snapshot_id is None else f" AT (VERSION => {int(snapshot_id)})"
        query = f"SELECT {chosen} FROM lake.{identifier(table)}{at}"  # noqa: S608
        if partition is not None:
            query += " WHERE shard = ?"
        if order_by is not None:
            query += f" ORDER BY {identifier(order_by)}"
        what = table + (f"[{partition}]" if partition is not None else "")
        what += f" at snapshot {snapshot_id}" if snapshot_id is not None else ""
        with self._cursor(what) as cursor:
            cursor.execute(query, [partition] if partition is not None else [])
            yield cursor.to_arrow_reader(batch_rows)

    @contextmanager
    def report(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        versions: Mapping[str, PartitionVersion] | None = None,
        batch_rows: int = READ_BATCH_ROWS,
    ) -> Iterator[pa.RecordBatchReader]:
        """Stream the result of ``sql/reports/<name>.sql`` with named parameters (``$name``).

        Args:
            versions: by table; where the statement has ``/*at:table*/`` after that table and its alias, it
                is read at that snapshot. A marked table without a version is read at the newest.

        Raises:
            LakeError: the statement failed, or has no mark for a table of ``versions``.
        """
        query = statement("reports", name)
        for table, version in (versions or {}).items():
            mark = f"/*at:{table}*/"
            if mark not in query:
                raise LakeError(f"Report {name} cannot read {table} at a version: put {mark} after it.")
            query = query.replace(mark, f"AT (VERSION => {int(version.snapshot_id)})")
        with self._cursor(f"report {name}") as cursor:
            cursor.execute(query, dict(parameters or {}))
            yield cursor.to_arrow_reader(batch_rows)

    def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a small report."""
        with self.report(name, parameters) as reader:
            return reader.read_all().to_pylist()

    def schema(self, table: str) -> pa.Schema:
        """Arrow schema of a table, text as ``large_string``; asked for once per table."""
        if table not in self._schemas:
            query = f"SELECT * FROM lake.{identifier(table)} LIMIT 0"  # noqa: S608
            with self._cursor(table) as cursor:
                self._schemas[table] = cursor.execute(query).to_arrow_reader(1).schema
        return self._schemas[table]

    def version(self, table: str, partition: str = UNPARTITIONED) -> PartitionVersion | None:
        """The last rewrite of a partition, or None where it was never written."""
        found = self.rows("partition_version", {"dataset": table, "partition": partition})
        if not found:
            return None
        return PartitionVersion(table, partition, found[0]["snapshot_id"], found[0]["rows"])

    def versions(self, table: str) -> list[PartitionVersion]:
        """The last rewrite of every partition of a table, by partition."""
        found = self.rows("partition_versions", {"dataset": table})
        return [PartitionVersion(table, row["partition"], row["snapshot_id"], row["rows"]) for row in found]

    @contextmanager
    def _cursor(self, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            raise LakeError(
                f"Reading {what} from the lake failed: {gist(error)}. "
                "Check the name and the snapshot, and that the lake's files are in their place."
            ) from error
