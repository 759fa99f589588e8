"""The lake: tables in Parquet with their catalog in DuckDB (DuckLake).

One :class:`Lake` is one DuckDB connection with the catalog attached. Many processes may hold one each;
DuckLake turns their commits into a single line of snapshots. A partition is rewritten whole, in one
transaction, together with a row of the ``commits`` ledger; the snapshot of that row is the version of the
partition. What belongs to the meaning of a table does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import duckdb
import pyarrow as pa

from resources import gates
from resources.duckdb_text import identifier
from resources.lake_commits import Commits, insertion, replacement
from resources.lake_connection import LakeSettings, cannot_open, connect
from resources.lake_reader import LakeReader
from resources.lake_records import UNPARTITIONED, GateOutcome, PartitionVersion, Provenance
from resources.lake_schema import create_schema
from resources.lake_spool import Workspace, spool
from resources.lake_turns import turns_of

__all__ = [
    "UNPARTITIONED",
    "GateOutcome",
    "Lake",
    "LakeSettings",
    "PartitionVersion",
    "Provenance",
]


class Lake(LakeReader):
    """Transactions, streaming reads, versions and gates over one attached catalog. Thread-safe.

    Raises:
        LakeError: the catalog or the data folder cannot be used, or there is nothing yet to open read-only.
    """

    def __init__(self, settings: LakeSettings) -> None:
        self.settings = settings
        try:
            self._workspace = Workspace(settings)
            try:
                super().__init__(self._attach())
            except BaseException:
                self._workspace.close()
                raise
        except (duckdb.Error, OSError) as error:
            raise cannot_open(settings, error) from error

    def close(self) -> None:
        """Let go of the catalog and remove the spool folder. The lake is of no use afterwards."""
        self._connection.close()
        self._workspace.close()

    def _attach(self) -> duckdb.DuckDBPyConnection:
        settings = self.settings
        # Attaching creates the catalog itself; with SQLite that needs a turn before there is a connection.
        creates = settings.kind == "sqlite" and not settings.read_only
        with turns_of(settings).taken("catalog", alone=True) if creates else nullcontext():
            connection = connect(settings, self._workspace.path / "spill")
        turns = turns_of(settings, connection)
        try:
            if not settings.read_only:
                create_schema(connection, turns)
        except BaseException:
            connection.close()
            raise
        self._commits = Commits(connection, turns)
        return connection

    def replace_partition(
        self,
        table: str,
        batches: Iterable[pa.RecordBatch],
        provenance: Provenance,
    ) -> PartitionVersion:
        """Put ``batches`` in the place of all rows of ``provenance.partition``, in one transaction.

        The batches are first spooled to a local Parquet file with the table's schema, so that the transaction
        is short, can be retried, and is never open while a model works. Memory does not grow with the rows.

        Args:
            table: name of a table whose ``shard`` column is the partition.
            batches: every row carries the partition in ``shard``; columns are the table's, in any order.
            provenance: written to the ledger and the commit message.

        Raises:
            LakeError: a row of another partition, a column that does not fit, a full disk, a lost race.
            Exception: whatever ``batches`` raises, unchanged; the old rows stay.
        """
        return self.replace_partitions({table: batches}, provenance)[table]

    def replace_partitions(
        self, tables: Mapping[str, Iterable[pa.RecordBatch]], provenance: Provenance
    ) -> dict[str, PartitionVersion]:
        """:meth:`replace_partition` for several tables that must change together.

        Tables are spooled in the order given, so the batches of one may fill the list that a later one is.
        """
        partition = provenance.partition
        schemas = {table: self.schema(table) for table in tables}
        with self._workspace.new_folder() as folder:
            files, rows = {}, {}
            for table, batches in tables.items():
                identifier(table)  # Refuses a name that is no plain word before it becomes part of a path.
                files[table] = Path(folder) / f"{table}.parquet"
                rows[table] = spool(
                    batches, files[table], table=table, schema=schemas[table], partition=partition
                )
            snapshot_id = self._commits.run(replacement(files, rows, provenance), provenance)
        return {table: PartitionVersion(table, partition, snapshot_id, rows[table]) for table in tables}

    def append(self, table: str, batch: pa.RecordBatch, provenance: Provenance) -> int:
        """Add one batch of rows in a transaction of its own; returns the snapshot id. No version changes."""
        return self._commits.run(insertion(table, batch), provenance)

    def record_gates(
        self, version: PartitionVersion, outcomes: Sequence[GateOutcome], provenance: Provenance
    ) -> None:
        """Store what the checks found on exactly this version; see :func:`resources.gates.record`."""
        gates.record(self, version, outcomes, provenance)

    def failing_gates(self, inputs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the inputs that :meth:`require_gates` would refuse; see :func:`resources.gates.failing`."""
        return gates.failing(self, inputs)

    def require_gates(
        self,
        inputs: Sequence[tuple[str, str]],
        *,
        provenance: Provenance,
        override_reason: str | None = None,
    ) -> dict[str, PartitionVersion]:
        """The versions of the inputs, once each is known to have passed every blocking gate at that version.

        Args:
            inputs: (table, partition) pairs. Of several partitions of one table the newest version is
                returned; the table at that snapshot has all of them as they were checked.
            override_reason: pass in spite of failed or missing gates; stored, and shown on report cards.

        Raises:
            GateError: an input was never written, has no gates at its version, or failed one. All are listed.
        """
        return gates.require(self, inputs, provenance=provenance, override_reason=override_reason)
