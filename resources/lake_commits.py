"""The one way into the lake: a transaction, tried again when it lost a race.

A write that fails for any other reason leaves no trace, and the connection stays usable.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from resources.duckdb_text import gist, half_written, identifier, lost_race
from resources.errors import LakeError
from resources.lake_records import Provenance
from resources.lake_turns import Turns
from resources.statements import statement

__all__ = ["Commits", "Write", "insertion", "replacement"]

# Writers of this project wait for each other; only a stranger (a shell, a compaction by hand) can win a race.
COMMIT_ATTEMPTS = 12
AUTHOR = "safety_assets"

Write = Callable[[duckdb.DuckDBPyConnection], None]


def replacement(files: Mapping[str, Path], rows: Mapping[str, int], provenance: Provenance) -> Write:
    """Puts the rows of Parquet files in the place of a partition, and a line per table into the ledger."""

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        for table, file in files.items():
            name = identifier(table)
            cursor.execute(f"DELETE FROM lake.{name} WHERE shard = ?", [provenance.partition])  # noqa: S608
            if rows[table]:
                insert = f"INSERT INTO lake.{name} BY NAME SELECT * FROM read_parquet(?)"  # noqa: S608
                cursor.execute(insert, [str(file)])
            cursor.execute(
                "INSERT INTO lake.commits VALUES (?, ?, ?, ?, ?, now())",
                [table, provenance.partition, rows[table], provenance.asset_key, provenance.run_id],
            )

    return write


def insertion(table: str, batch: pa.RecordBatch) -> Write:
    """Adds the rows of a batch to a table."""
    insert = f"INSERT INTO lake.{identifier(table)} BY NAME SELECT * FROM incoming"  # noqa: S608

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.register("incoming", batch)
        cursor.execute(insert)
        cursor.unregister("incoming")

    return write


class Commits:
    """Runs writes one at a time over one connection, each on a cursor of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, turns: Turns) -> None:
        self._connection = connection
        self._turns = turns
        # The snapshot of the last commit is known per connection, not per cursor.
        self._one_thread = threading.Lock()

    def run(self, write: Write, provenance: Provenance, *, alone: bool = False) -> int:
        """Run ``write`` in a transaction, again after a lost race; returns the id of its snapshot.

        Args:
            alone: keep writers of other partitions waiting from the first try, not only after a lost race.

        Raises:
            LakeError: the write failed and was rolled back.
        """
        what = f"Writing {provenance.asset_key} for partition {provenance.partition}"
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            try:
                with self._one_thread, self._turns.taken(provenance.partition, alone=alone or attempt > 1):
                    return self._attempt(write, provenance)
            except duckdb.Error as error:
                if not lost_race(error):
                    cause = f"{gist(error)}. {_remedy(error)}"
                    raise LakeError(f"{what} failed and was rolled back: {cause}") from error
                if attempt == COMMIT_ATTEMPTS:
                    raise LakeError(
                        f"{what} lost {attempt} races against other writers and was rolled back: "
                        f"{gist(error)}. Close other programs that write to this lake, then run it again."
                    ) from error
            time.sleep(random.uniform(0.01, 0.05) * 2 ** min(attempt, 6))
        raise AssertionError("unreachable")

    def _attempt(self, write: Write, provenance: Provenance) -> int:
        extra = json.dumps({"partition": provenance.partition, "run_id": provenance.run_id})
        with self._connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                write(cursor)
                cursor.execute(
                    "CALL lake.set_commit_message(?, ?, extra_info => ?)",
                    [AUTHOR, provenance.asset_key, extra],
                )
                cursor.execute("COMMIT")
            except BaseException as error:
                _roll_back(cursor)
                left_behind = half_written(error)
                if left_behind is not None:
                    # Else the full disk stays full, and the next, smaller write fails as well.
                    left_behind.unlink(missing_ok=True)
                raise
            return _last_snapshot(cursor, provenance)


def _last_snapshot(cursor: duckdb.DuckDBPyConnection, provenance: Provenance) -> int:
    try:
        return cursor.execute(statement("reports", "last_snapshot")).fetchone()[0]
    except duckdb.Error as error:
        # Not to be taken for a failed write: trying an append again would double its rows.
        raise LakeError(
            f"{provenance.asset_key} for partition {provenance.partition} was written, but its snapshot is "
            f"not known: {gist(error)}. Check that the catalog can be reached, then run it again."
        ) from error


def _remedy(error: duckdb.Error) -> str:
    if isinstance(error, (duckdb.ConstraintException, duckdb.ConversionException, duckdb.BinderException)):
        return "Mend the rows, or the code that makes them, and run the partition again."
    if isinstance(error, duckdb.OutOfMemoryException):
        return "Raise memory_limit in the lake's profile and run the partition again."
    if isinstance(error, duckdb.InvalidInputException) and "read-only" in str(error):
        return "Open the lake without read_only to write."
    return "Check that the lake's disk has space and its catalog and store can be reached, then run it again."


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    # A failed COMMIT has already ended the transaction; then there is nothing left to roll back.
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return
