"""Rows on their way into the lake: checked, and written to a Parquet file before a transaction begins.

So a transaction is short, can be tried again, and is never open while a model works. A :class:`Workspace` is
one process's folder for such files and for what DuckDB spills. It is removed when the process ends; what a
killed process left is removed by the first one that opens the lake a day later.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from resources.duckdb_text import gist
from resources.errors import LakeError
from resources.lake_connection import LakeSettings
from resources.lake_turns import hold, let_go

__all__ = ["Workspace", "spool"]

PREFIX = "safety-lake-"
STALE_S = 24 * 3600
# A row group of a spool file ends at whichever comes first; it is what the writer and DuckDB hold in memory.
ROW_GROUP_ROWS = 4_096
ROW_GROUP_BYTES = 16_000_000


class Workspace:
    """A folder of one open lake, locked while it is in use. Beside the data folder, so on the same disk."""

    def __init__(self, settings: LakeSettings) -> None:
        data_folder = None if settings.read_only else settings.data_folder
        self.shelf = (
            data_folder.with_name(f"{data_folder.name}-spool") if data_folder else Path(tempfile.gettempdir())
        )
        self.shelf.mkdir(parents=True, exist_ok=True)
        _remove_stale(self.shelf)
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=self.shelf, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self._lock = hold(self.path)

    def new_folder(self) -> tempfile.TemporaryDirectory:
        """A folder for the spool files of one transaction, removed on leaving its ``with`` block."""
        return tempfile.TemporaryDirectory(dir=self.path, ignore_cleanup_errors=True)

    def close(self) -> None:
        self._folder.cleanup()
        if self._lock is not None:
            let_go(self._lock)
            self._lock = None


def spool(
    batches: Iterable[pa.RecordBatch], path: Path, *, table: str, schema: pa.Schema, partition: str
) -> int:
    """Write batches to a Parquet file with a table's schema; returns the number of rows.

    Raises:
        LakeError: a row of another partition, columns that are not the table's, or a disk that is full.
        Exception: whatever ``batches`` raises, unchanged.
    """
    writer = _Writer(path, table, schema, partition)
    try:
        for batch in batches:
            writer.add(batch)
    except BaseException:
        writer.abandon()
        raise
    writer.finish()
    return writer.rows


class _Writer:
    def __init__(self, path: Path, table: str, schema: pa.Schema, partition: str) -> None:
        self.rows = 0
        self._path, self._table, self._schema, self._partition = path, table, schema, partition
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows == 0:
            return
        fitted = self._fitted(batch)
        self._waiting.append(fitted)
        self.rows += fitted.num_rows
        self._waiting_rows += fitted.num_rows
        self._waiting_bytes += fitted.nbytes
        if self._waiting_rows >= ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._write()

    def finish(self) -> None:
        self._write()
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise self._no_space(error) from error

    def abandon(self) -> None:
        """Close without a word: an error is already on its way, and the file goes with its folder."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError:
            return

    def _fitted(self, batch: pa.RecordBatch) -> pa.Table:
        wrong = sorted(set(self._schema.names) ^ set(batch.schema.names))
        if wrong or len(batch.schema.names) != len(self._schema.names):
            raise LakeError(
                f"Rows for table {self._table} do not have its columns, see {', '.join(wrong) or 'repeats'}: "
                f"give exactly those of sql/tables/{self._table}.sql."
            )
        if pc.unique(batch.column("shard")).to_pylist() != [self._partition]:
            raise LakeError(
                f"A row for table {self._table} names another partition than {self._partition}: "
                "every row must carry the partition that is being replaced in its shard column."
            )
        try:
            return pa.Table.from_batches([batch]).select(self._schema.names).cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise LakeError(
                f"Rows for table {self._table}, partition {self._partition}, do not fit its columns: "
                f"{gist(error)}. Compare them with sql/tables/{self._table}.sql."
            ) from error

    def _write(self) -> None:
        if not self._waiting:
            return
        try:
            if self._file is None:
                self._file = pq.ParquetWriter(self._path, self._schema, compression="zstd")
            # Batches of one row each would make row groups of one row each.
            self._file.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP_ROWS)
        except OSError as error:
            raise self._no_space(error) from error
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0

    def _no_space(self, error: OSError) -> LakeError:
        return LakeError(
            f"Rows for table {self._table}, partition {self._partition}, could not be spooled to "
            f"{self._path.parents[2]}: {error.strerror or gist(error)}. "
            "Free some space there and run the partition again; nothing was written to the lake."
        )


def _remove_stale(shelf: Path) -> None:
    """Remove the folders of killed processes: nobody holds their lock, and they are older than a day."""
    for folder in shelf.glob(f"{PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < STALE_S:
                continue
            lock = hold(folder)
        except OSError:
            continue  # Another process removed it first, or it belongs to somebody else.
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            let_go(lock)
