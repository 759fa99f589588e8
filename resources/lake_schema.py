"""The lake's tables, views and file settings, brought to what this version of the project asks for.

A table is created once, and gets the columns that were added to its file since if they may be NULL; any other
difference is refused, because rows are never rewritten here. A view is created again when its file has
changed; its comment keeps the hash of the text it was made from.
"""

from __future__ import annotations

import hashlib
import random
import time
from functools import cache

import duckdb

from resources.duckdb_text import identifier, lost_race
from resources.errors import LakeError
from resources.lake_turns import Turns
from resources.statements import names, statement

__all__ = ["FILE_OPTIONS", "create_schema"]

# How DuckLake writes Parquet, kept in the catalog so that every writer obeys. A row group is what a writer
# and a reader hold in memory: bound by rows for narrow tables, by bytes for long documents.
FILE_OPTIONS = {
    "parquet_row_group_size": "4096",
    "parquet_row_group_size_bytes": "16000000",
    "parquet_compression": "zstd",
}
CREATE_ATTEMPTS = 8

# By table and column: its type, and whether it may be NULL.
Columns = dict[str, dict[str, tuple[str, bool]]]


def create_schema(connection: duckdb.DuckDBPyConnection, turns: Turns) -> None:
    """Create what is missing, in one transaction; a process that lost the race to create it looks again.

    Raises:
        LakeError: a table has other columns than this version of the project; nothing was changed.
        duckdb.Error: the catalog refused.
    """
    for attempt in range(1, CREATE_ATTEMPTS + 1):
        # Closing the cursor rolls back what was not committed.
        with turns.taken("schema", alone=True), connection.cursor() as cursor:
            try:
                cursor.execute("BEGIN")
                cursor.execute("USE lake")
                _bring_tables(cursor)
                _set_options(cursor)
                _bring_views(cursor)
                cursor.execute("COMMIT")
                return
            except duckdb.Error as error:
                if attempt == CREATE_ATTEMPTS or not lost_race(error):
                    raise
        time.sleep(random.uniform(0.05, 0.3) * attempt)


def _bring_tables(cursor: duckdb.DuckDBPyConnection) -> None:
    problems = []
    existing, wanted = _columns_of(cursor, "lake"), _wanted_columns()
    for table, columns in wanted.items():
        if table not in existing:
            cursor.execute(statement("tables", table))
            continue
        found = existing[table]
        added = {name: kind for name, (kind, nullable) in columns.items() if name not in found and nullable}
        unlike = [name for name in columns if name not in added and found.get(name) != columns[name]]
        unlike += [name for name in found if name not in columns]
        if unlike:
            problems.append(f"{table} ({', '.join(unlike)})")
        for name, kind in added.items():
            cursor.execute(f"ALTER TABLE {identifier(table)} ADD COLUMN {identifier(name)} {kind}")
    if problems:
        raise LakeError(
            f"This lake was made by another version of the project: other columns in {'; '.join(problems)}. "
            "Use that version, or point the profile at a new lake and materialise again."
        )


def _set_options(cursor: duckdb.DuckDBPyConnection) -> None:
    options = dict(cursor.execute("SELECT option_name, value FROM lake.options()").fetchall())
    for option, value in FILE_OPTIONS.items():
        if options.get(option) != value:
            given = f"{value} bytes" if option.endswith("_bytes") else value
            cursor.execute("CALL lake.set_option(?, ?)", [option, given])


def _bring_views(cursor: duckdb.DuckDBPyConnection) -> None:
    """Create views in an order that works: one that needs another is tried again after it."""
    made_from = dict(cursor.execute(statement("reports", "lake_views")).fetchall())
    waiting = [name for name in names("views") if made_from.get(name) != _hash_of(name)]
    for name in waiting:
        cursor.execute(f"DROP VIEW IF EXISTS {identifier(name)}")
    while waiting:
        failed: dict[str, duckdb.Error] = {}
        for name in waiting:
            try:
                cursor.execute(statement("views", name))
            except duckdb.CatalogException as error:
                failed[name] = error
            else:
                cursor.execute(f"COMMENT ON VIEW {identifier(name)} IS '{_hash_of(name)}'")
        if len(failed) == len(waiting):
            raise next(iter(failed.values()))
        waiting = list(failed)


def _columns_of(cursor: duckdb.DuckDBPyConnection, database: str) -> Columns:
    columns: Columns = {}
    found = cursor.execute(statement("reports", "lake_columns"), {"database": database}).fetchall()
    for table, name, kind, nullable in found:
        columns.setdefault(table, {})[name] = (kind, nullable)
    return columns


@cache
def _wanted_columns() -> Columns:
    with duckdb.connect() as scratch:
        for table in names("tables"):
            scratch.execute(statement("tables", table))
        return _columns_of(scratch, "memory")


def _hash_of(view: str) -> str:
    return hashlib.sha256(statement("views", view).encode()).hexdigest()
