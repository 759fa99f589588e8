"""Opening a lake: its settings, DuckDB's extensions, and the ATTACH that joins catalog and data folder.

What is done with the connection belongs to ``lake.py``.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from resources.duckdb_text import gist, literal, lost_race
from resources.errors import LakeError

__all__ = [
    "LakeSettings",
    "attach_statements",
    "cannot_open",
    "connect",
    "extensions_of",
    "load_extension",
]

# DuckDB's name of an extension where it differs from the name of its Python package.
LIBRARIES = {"sqlite": "sqlite_scanner", "postgres": "postgres_scanner"}
# Milliseconds for which SQLite waits for a lock of the catalog that another process holds.
BUSY_MS = 30_000
# Tries of DuckLake itself when two commits ask for the same snapshot id (PostgreSQL).
SNAPSHOT_TRIES = 20
ATTACH_ATTEMPTS = 6


@dataclass(frozen=True)
class LakeSettings:
    """Where a lake lives.

    ``catalog`` is ``sqlite:PATH`` or ``postgres:CONNECTION STRING`` (the password comes from ``PGPASSWORD``
    or ``~/.pgpass``, never from here). ``data_path`` is a folder or an object store URL.
    """

    catalog: str
    data_path: str
    memory_limit: str = "1GB"
    threads: int = 2
    read_only: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("sqlite", "postgres") or not self.location:
            raise LakeError(
                f"Unknown lake catalog {self.kind!r}: "
                "give sqlite:PATH or postgres:CONNECTION STRING in the profile."
            )
        if self.kind == "postgres" and "password" in self.location.lower():
            raise LakeError(
                "The lake's catalog names a password: take it out and set PGPASSWORD or ~/.pgpass instead."
            )

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgres``."""
        return self.catalog.partition(":")[0]

    @property
    def location(self) -> str:
        """Absolute path of a SQLite catalog, or PostgreSQL's connection string."""
        text = self.catalog.partition(":")[2]
        return str(Path(text).expanduser().resolve()) if self.kind == "sqlite" and text else text

    @property
    def data_folder(self) -> Path | None:
        """The data folder, or None for an object store."""
        return None if "://" in self.data_path else Path(self.data_path).expanduser().resolve()


def connect(settings: LakeSettings, spill_folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the catalog attached as ``lake``; big queries spill to a folder.

    Raises:
        LakeError: an extension is missing, or there is no lake to read yet.
        duckdb.Error, OSError: the catalog or the data folder cannot be reached.
    """
    _prepare_folders(settings)
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "memory_limit": settings.memory_limit,
            "threads": str(settings.threads),
            "temp_directory": str(spill_folder),
            # Row order inside a partition means nothing; keeping it would cost memory on every insert.
            "preserve_insertion_order": "false",
            "arrow_large_buffer_size": "true",
        }
    )
    try:
        # Arrow types carry the time zone: without this the schema would depend on the machine.
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        for extension in extensions_of(settings):
            load_extension(connection, extension)
        _attach(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def extensions_of(settings: LakeSettings) -> list[str]:
    """Names of the extensions a lake needs, as in the packages ``duckdb-extension-NAME``."""
    return ["ducklake", settings.kind] + (["httpfs"] if settings.data_folder is None else [])


def attach_statements(settings: LakeSettings) -> list[str]:
    """The statements that make the catalog known as ``lake``; also for the DuckDB command line."""
    data_path = str(settings.data_folder or settings.data_path).rstrip("/") + "/"
    options = [f"DATA_PATH {literal(data_path)}"]
    if settings.kind == "sqlite":
        options += [f"META_BUSY_TIMEOUT {BUSY_MS}", "META_JOURNAL_MODE 'WAL'"]
    if settings.read_only:
        options.append("READ_ONLY")
    catalog = literal(f"ducklake:{settings.kind}:{settings.location}")
    attach = f"ATTACH {catalog} AS lake ({', '.join(options)})"
    return [attach, f"SET ducklake_max_retry_count = {SNAPSHOT_TRIES}"]


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load a signed extension, installing it from its Python package where DuckDB does not have it yet."""
    library = LIBRARIES.get(name, name)
    try:
        connection.execute(f"LOAD {library}")
    except duckdb.Error:
        try:
            from duckdb_extensions import import_extension

            import_extension(name, con=connection)
            connection.execute(f"LOAD {library}")
        except ImportError as error:
            raise LakeError(
                f"The DuckDB extension {name} is not installed: pip install duckdb-extension-{name}."
            ) from error
        except duckdb.Error as error:
            raise LakeError(
                f"The DuckDB extension {name} cannot be loaded: {gist(error)}. "
                "Check that its package has DuckDB's version and that the home folder is writable."
            ) from error


def cannot_open(settings: LakeSettings, error: BaseException) -> LakeError:
    """The error to raise when a lake cannot be opened; a connection string stays out of it."""
    cause = str(error).replace(settings.location, "the catalog")
    return LakeError(
        f"The lake at {settings.data_path} ({settings.kind} catalog) cannot be opened: {gist(cause)}. "
        "Check that the data folder is writable and the catalog reachable."
    )


def _attach(connection: duckdb.DuckDBPyConnection, settings: LakeSettings) -> None:
    """Attach, again where another process made PostgreSQL's catalog tables in the same moment."""
    for attempt in range(1, ATTACH_ATTEMPTS + 1):
        try:
            for line in attach_statements(settings):
                connection.execute(line)
            return
        except duckdb.Error as error:
            if attempt == ATTACH_ATTEMPTS or not lost_race(error):
                raise
        time.sleep(random.uniform(0.05, 0.3) * attempt)


def _prepare_folders(settings: LakeSettings) -> None:
    catalog = Path(settings.location) if settings.kind == "sqlite" else None
    if settings.read_only:
        if catalog is not None and not catalog.is_file():
            raise LakeError(
                f"There is no lake at {settings.data_path} yet: materialise an asset first, which creates it."
            )
        return
    if catalog is not None:
        catalog.parent.mkdir(parents=True, exist_ok=True)
    folder = settings.data_folder
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"the data folder {folder} is not writable")
