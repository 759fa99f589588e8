"""The lake: tables in Parquet with their catalog in DuckDB (DuckLake).

One :class:`Lake` is one DuckDB connection with the catalog attached. Many processes may hold one each; DuckLake
turns their commits into a single line of snapshots. A partition is rewritten whole, in one transaction, together
with a row of the ``commits`` ledger; the snapshot of that row is the version of the partition. What belongs to
the meaning of a table does not belong here.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.errors import GateError, LakeError
from resources.statements import names, statement

__all__ = ["GateOutcome", "Lake", "LakeSettings", "PartitionVersion", "Provenance"]

# A commit that lost a race is tried again for about half a minute in all before the error is raised.
COMMIT_ATTEMPTS = 12
# Rows of one Parquet row group; bounds what a writer or a streaming reader holds in memory.
ROW_GROUP_ROWS = 2_048
READ_BATCH_ROWS = 1_024
# Rows read for every name; a partition of an unpartitioned asset.
UNPARTITIONED = "all"


@dataclass(frozen=True)
class LakeSettings:
    """Where a lake lives.

    ``catalog`` is ``sqlite:PATH`` or ``postgres:CONNECTION STRING`` (the password comes from ``PGPASSWORD`` or
    ``~/.pgpass``, never from here). ``data_path`` is a folder or an object store URL.
    """

    catalog: str
    data_path: str
    memory_limit: str = "1GB"
    threads: int = 2
    read_only: bool = False


@dataclass(frozen=True)
class Provenance:
    """Who writes: kept in the ledger and as the commit message."""

    asset_key: str
    partition: str
    run_id: str


@dataclass(frozen=True)
class PartitionVersion:
    """One partition of a table at the snapshot that last rewrote it."""

    table: str
    partition: str
    snapshot_id: int
    rows: int


@dataclass(frozen=True)
class GateOutcome:
    """What one check found on one version of a data set. Only numbers and names in ``facts``."""

    check: str
    passed: bool
    blocking: bool
    facts: Mapping[str, Any]


class Lake:
    """Transactions, streaming reads, versions and gates over one attached catalog. Thread-safe."""

    def __init__(self, settings: LakeSettings) -> None:
        self.settings = settings
        self._writing = threading.Lock()
        try:
            self._connection = _connect(settings)
            if not settings.read_only:
                self._create_schema()
        except (duckdb.Error, OSError) as error:
            raise LakeError(
                f"The lake at {settings.data_path} (catalog {settings.catalog.split(':', 1)[0]}) cannot be opened: "
                f"{_first_line(error)}. Check that the folder is writable and the catalog reachable."
            ) from error

    def close(self) -> None:
        self._connection.close()

    # -- writing -------------------------------------------------------------------------------------------------

    def replace_partition(
        self,
        table: str,
        batches: Iterable[pa.RecordBatch],
        provenance: Provenance,
    ) -> PartitionVersion:
        """Put ``batches`` in the place of all rows of ``provenance.partition``, in one transaction.

        The batches are first spooled to a local Parquet file with the table's schema, so that the transaction is
        short, can be retried, and is never open while a model works. Memory does not grow with the rows.

        Args:
            table: name of a table whose ``shard`` column is the partition.
            batches: every row carries the partition in ``shard``; columns are the table's.
            provenance: written to the ledger and the commit message.

        Raises:
            LakeError: a row of another partition, a column that does not fit, a full disk, a lost race.
        """
        return self.replace_partitions({table: batches}, provenance)[table]

    def replace_partitions(
        self, tables: Mapping[str, Iterable[pa.RecordBatch]], provenance: Provenance
    ) -> dict[str, PartitionVersion]:
        """:meth:`replace_partition` for several tables that must change together.

        A table may also be given as ``{"name": batches}`` whose iterator fills other iterables on the way; tables
        are spooled in the order given.
        """
        with tempfile.TemporaryDirectory(prefix="safety-spool-") as folder:
            rows = {}
            for table, batches in tables.items():
                rows[table] = self._spool(table, batches, Path(folder) / f"{table}.parquet", provenance.partition)

            def write(cursor: duckdb.DuckDBPyConnection) -> None:
                for table in tables:
                    self._replace_rows(cursor, table, Path(folder) / f"{table}.parquet", provenance, rows[table])

            snapshot_id = self._commit(write, provenance)
        return {
            table: PartitionVersion(table, provenance.partition, snapshot_id, count) for table, count in rows.items()
        }

    def append(self, table: str, batch: pa.RecordBatch, provenance: Provenance) -> int:
        """Add one batch of rows in a transaction of its own; returns the snapshot id."""

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.register("incoming", batch)
            cursor.execute(f"INSERT INTO lake.{_identifier(table)} BY NAME SELECT * FROM incoming")  # noqa: S608
            cursor.unregister("incoming")

        return self._commit(write, provenance)

    def _spool(self, table: str, batches: Iterable[pa.RecordBatch], path: Path, partition: str) -> int:
        schema = self.schema(table)
        rows = 0
        try:
            with pq.ParquetWriter(path, schema, compression="zstd") as writer:
                for batch in batches:
                    if batch.num_rows == 0:
                        continue
                    if set(batch.column("shard").to_pylist()) != {partition}:
                        raise LakeError(
                            f"A row for table {table} names another partition than {partition}: "
                            "every row must carry the partition that is being replaced in its shard column."
                        )
                    columns = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
                    writer.write_table(columns, row_group_size=ROW_GROUP_ROWS)
                    rows += batch.num_rows
        except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as error:
            raise LakeError(f"Rows for table {table} do not fit its columns: {_first_line(error)}.") from error
        except OSError as error:
            raise LakeError(
                f"Rows for table {table} could not be spooled to {tempfile.gettempdir()}: {error.strerror or error}. "
                "Free some space there or point TMPDIR elsewhere; nothing was written to the lake."
            ) from error
        return rows

    def _replace_rows(
        self, cursor: duckdb.DuckDBPyConnection, table: str, spool: Path, provenance: Provenance, rows: int
    ) -> None:
        name = _identifier(table)
        cursor.execute(f"DELETE FROM lake.{name} WHERE shard = ?", [provenance.partition])  # noqa: S608
        if rows:
            cursor.execute(f"INSERT INTO lake.{name} BY NAME SELECT * FROM read_parquet(?)", [str(spool)])  # noqa: S608
        cursor.execute(
            "INSERT INTO lake.commits VALUES (?, ?, ?, ?, ?, now())",
            [table, provenance.partition, rows, provenance.asset_key, provenance.run_id],
        )

    def _commit(self, write: Callable[[duckdb.DuckDBPyConnection], None], provenance: Provenance) -> int:
        """Run ``write`` in a transaction, again if another process committed first; returns the snapshot id."""
        extra = json.dumps({"partition": provenance.partition, "run_id": provenance.run_id})
        with self._writing:
            for attempt in range(1, COMMIT_ATTEMPTS + 1):
                cursor = self._connection
                try:
                    cursor.execute("BEGIN")
                    write(cursor)
                    cursor.execute(
                        "CALL lake.set_commit_message(?, ?, extra_info => ?)",
                        ["safety_assets", provenance.asset_key, extra],
                    )
                    cursor.execute("COMMIT")
                    return cursor.execute("SELECT id FROM lake.last_committed_snapshot()").fetchone()[0]
                except duckdb.Error as error:
                    _roll_back(cursor)
                    lost_race = isinstance(error, duckdb.TransactionException) or "locked" in str(error)
                    if not lost_race or attempt == COMMIT_ATTEMPTS:
                        raise LakeError(
                            f"Writing {provenance.asset_key} for partition {provenance.partition} failed after "
                            f"{attempt} attempt(s) and was rolled back: {_first_line(error)}. "
                            "Free disk space or lower the number of concurrent runs, then run the partition again."
                        ) from error
                    time.sleep(random.uniform(0.02, 0.1) * min(2**attempt, 60))
                except BaseException:
                    _roll_back(cursor)
                    raise
        raise AssertionError("unreachable")

    # -- reading -------------------------------------------------------------------------------------------------

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

        Args:
            partition: only rows of this shard; None reads all.
            snapshot_id: read the table as it was at this snapshot; None reads the newest.
            order_by: a column, where the order matters; sorting holds the partition in memory.
        """
        chosen = ", ".join(_identifier(column) for column in columns) if columns else "*"
        query = f"SELECT {chosen} FROM lake.{_identifier(table)}{_at(snapshot_id)}"  # noqa: S608
        if partition is not None:
            query += " WHERE shard = ?"
        if order_by is not None:
            query += f" ORDER BY {_identifier(order_by)}"
        with self._cursor() as cursor:
            cursor.execute(query, [partition] if partition is not None else [])
            yield cursor.to_arrow_reader(batch_rows)

    @contextmanager
    def report(
        self, name: str, parameters: Mapping[str, Any] | None = None, batch_rows: int = READ_BATCH_ROWS
    ) -> Iterator[pa.RecordBatchReader]:
        """Stream the result of ``sql/reports/<name>.sql`` with named parameters (``$name``)."""
        with self._cursor() as cursor:
            cursor.execute(statement("reports", name), dict(parameters or {}))
            yield cursor.to_arrow_reader(batch_rows)

    def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a small report."""
        with self.report(name, parameters) as reader:
            return reader.read_all().to_pylist()

    def schema(self, table: str) -> pa.Schema:
        """Arrow schema of a table, text as ``large_string``."""
        with self._cursor() as cursor:
            cursor.execute(f"SELECT * FROM lake.{_identifier(table)} LIMIT 0")  # noqa: S608
            return cursor.to_arrow_reader(1).schema

    # -- versions and gates --------------------------------------------------------------------------------------

    def version(self, table: str, partition: str = UNPARTITIONED) -> PartitionVersion | None:
        """The last rewrite of a partition, or None where it was never written."""
        found = self.rows("partition_version", {"dataset": table, "partition": partition})
        return PartitionVersion(table, partition, found[0]["snapshot_id"], found[0]["rows"]) if found else None

    def versions(self, table: str) -> list[PartitionVersion]:
        """The last rewrite of every partition of a table, by partition."""
        found = self.rows("partition_versions", {"dataset": table})
        return [PartitionVersion(table, row["partition"], row["snapshot_id"], row["rows"]) for row in found]

    def record_gates(
        self, version: PartitionVersion, outcomes: Sequence[GateOutcome], provenance: Provenance
    ) -> None:
        """Store what the checks found on exactly this version."""
        columns = {
            "dataset": [version.table] * len(outcomes),
            "partition": [version.partition] * len(outcomes),
            "snapshot_id": [version.snapshot_id] * len(outcomes),
            "check_name": [outcome.check for outcome in outcomes],
            "passed": [outcome.passed for outcome in outcomes],
            "blocking": [outcome.blocking for outcome in outcomes],
            "facts": [json.dumps(dict(outcome.facts), sort_keys=True) for outcome in outcomes],
            "override_reason": [None] * len(outcomes),
            "run_id": [provenance.run_id] * len(outcomes),
        }
        self.append("gates", self._rows_of("gates", columns), provenance)

    def require_gates(
        self,
        inputs: Sequence[tuple[str, str]],
        *,
        provenance: Provenance,
        override_reason: str | None = None,
    ) -> dict[str, PartitionVersion]:
        """The versions of the inputs, once each is known to have passed every blocking gate at that version.

        Args:
            inputs: (table, partition) pairs.
            override_reason: pass in spite of failed or missing gates; stored, and shown on report cards.

        Raises:
            GateError: an input was never written, has no gates at its version, or failed one. All are listed.
        """
        versions, problems = {}, []
        for table, partition in inputs:
            version = self.version(table, partition)
            if version is None:
                raise GateError(f"{table}[{partition}] has no rows in the lake yet: materialise it first.")
            versions[table] = version
            found = self.rows(
                "gates_of_version", {"dataset": table, "partition": partition, "snapshot_id": version.snapshot_id}
            )
            failed = sorted({row["check_name"] for row in found if row["blocking"] and not row["passed"]})
            if failed or not found:
                what = "failed " + ", ".join(failed) if failed else "was never checked"
                problems.append((version, f"{table}[{partition}] at snapshot {version.snapshot_id} {what}"))
        if problems and not (override_reason or "").strip():
            raise GateError(
                "; ".join(text for _, text in problems)
                + ". Mend the input and materialise it again, or give override_gates_because in the run config."
            )
        for version, _ in problems:
            self._record_override(version, str(override_reason), provenance)
        return versions

    def _record_override(self, version: PartitionVersion, reason: str, provenance: Provenance) -> None:
        columns = {
            "dataset": [version.table],
            "partition": [version.partition],
            "snapshot_id": [version.snapshot_id],
            "check_name": [f"override by {provenance.asset_key}"],
            "passed": [True],
            "blocking": [False],
            "facts": ["{}"],
            "override_reason": [reason],
            "run_id": [provenance.run_id],
        }
        self.append("gates", self._rows_of("gates", columns), provenance)

    # -- plumbing ------------------------------------------------------------------------------------------------

    def _rows_of(self, table: str, columns: Mapping[str, list]) -> pa.RecordBatch:
        schema = self.schema(table)
        stamped = dict(columns)
        stamped["recorded_at"] = [time.time_ns() // 1000] * len(next(iter(columns.values())))
        arrays = [
            pa.array(stamped[field.name], type=pa.int64()).cast(pa.timestamp("us", tz="UTC")).cast(field.type)
            if field.name == "recorded_at"
            else pa.array(stamped[field.name], type=field.type)
            for field in schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            raise LakeError(f"Reading the lake failed: {_first_line(error)}.") from error
        finally:
            cursor.close()

    def _create_schema(self) -> None:
        """Create what is missing; a process that lost the race to create it looks again."""
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                existing = {
                    row[0]
                    for row in self._connection.execute(
                        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
                        " UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'lake'"
                    ).fetchall()
                }
                missing = [("tables", name) for name in names("tables") if name not in existing]
                missing += [("views", name) for name in names("views") if name not in existing]
                if missing:
                    self._connection.execute("BEGIN; USE lake")
                    for kind, name in missing:
                        self._connection.execute(statement(kind, name))
                    self._connection.execute("COMMIT")
                self._connection.execute("USE lake")
                return
            except duckdb.Error:
                _roll_back(self._connection)
                if attempt == COMMIT_ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.05, 0.3) * (attempt + 1))


def _connect(settings: LakeSettings) -> duckdb.DuckDBPyConnection:
    kind, _, location = settings.catalog.partition(":")
    if kind not in ("sqlite", "postgres") or not location:
        raise LakeError(
            f"Unknown lake catalog {kind!r}: give sqlite:PATH or postgres:CONNECTION STRING in the profile."
        )
    if kind == "sqlite" and not settings.read_only:
        Path(location).expanduser().parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "memory_limit": settings.memory_limit,
            "threads": str(settings.threads),
            # Row order inside a partition means nothing; keeping it would cost memory on every insert.
            "preserve_insertion_order": "false",
            "arrow_large_buffer_size": "true",
        }
    )
    needed = ["ducklake", kind]
    if "://" in settings.data_path:
        needed.append("httpfs")
    for extension in needed:
        _load_extension(connection, extension)
    options = [f"DATA_PATH {_literal(settings.data_path.rstrip('/') + '/')}"]
    if kind == "sqlite":
        options += ["META_BUSY_TIMEOUT 30000", "META_JOURNAL_MODE 'WAL'"]
    if settings.read_only:
        options.append("READ_ONLY")
    connection.execute(f"ATTACH {_literal('ducklake:' + settings.catalog)} AS lake ({', '.join(options)})")
    connection.execute("SET ducklake_max_retry_count = 20")
    return connection


def _load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load a signed extension, installing it from its Python package where DuckDB does not have it yet."""
    library = {"sqlite": "sqlite_scanner", "postgres": "postgres_scanner"}.get(name, name)
    try:
        connection.execute(f"LOAD {library}")
    except duckdb.Error:
        import duckdb_extensions

        try:
            duckdb_extensions.import_extension(name)
        except Exception as error:
            raise LakeError(
                f"The DuckDB extension {name} is not installed: pip install duckdb-extension-{name}."
            ) from error
        connection.execute(f"LOAD {library}")


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    # A failed COMMIT has already ended the transaction; then there is nothing left to roll back.
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return


def _identifier(name: str) -> str:
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise LakeError(f"{name!r} is not a table or column name.")
    return name


def _literal(text: str) -> str:
    """ATTACH takes no parameters; this is the one place where text becomes part of a statement."""
    return "'" + text.replace("'", "''") + "'"


def _at(snapshot_id: int | None) -> str:
    return "" if snapshot_id is None else f" AT (VERSION => {int(snapshot_id)})"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
