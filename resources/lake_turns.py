"""Whose turn it is to commit: writers wait for each other instead of failing and trying again.

SQLite refuses a commit whenever anybody else committed since its transaction began, so a long insert would
never get through between short ones: writers hold a lock file, one at a time. PostgreSQL lets strangers
commit side by side, but DuckLake sees no conflict when two writers fill the same empty partition, and the
rows of both would stay: writers of one partition wait for each other, and one that lost a race gets the
catalog to itself.
Locks vanish with the process that holds them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from resources.duckdb_text import gist
from resources.errors import LakeError
from resources.lake_connection import LakeSettings

__all__ = ["Turns", "hold", "let_go", "turns_of"]

# A turn is one transaction: seconds, minutes for the largest partition. Longer means that its holder hangs.
PATIENCE_S = 900
POLL_S = 0.005


class Turns(Protocol):
    """Lets writers commit one after the other where side by side would end in a conflict."""

    def taken(self, partition: str, *, alone: bool) -> AbstractContextManager[None]:
        """Wait for the turn to write ``partition``; ``alone`` keeps writers of other partitions out too."""


def turns_of(settings: LakeSettings, connection: duckdb.DuckDBPyConnection | None = None) -> Turns:
    """The turns of a catalog; PostgreSQL's need the connection that the catalog is attached to."""
    if settings.kind == "sqlite":
        return _FileTurns(Path(settings.location + ".turn"))
    return _AdvisoryTurns(connection)


def hold(path: Path) -> int | None:
    """Lock a file or folder for as long as the returned descriptor is open; None where another holds it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def let_go(descriptor: int) -> None:
    """Unlock and close; a child forked meanwhile has the descriptor too, so closing alone is not enough."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


class _FileTurns:
    """One writer of the catalog at a time, by a lock on a file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def taken(self, partition: str, *, alone: bool) -> Iterator[None]:
        self._path.touch()
        deadline = time.monotonic() + PATIENCE_S
        while (descriptor := hold(self._path)) is None:
            if time.monotonic() > deadline:
                raise _hung(partition)
            time.sleep(POLL_S)
        try:
            yield
        finally:
            let_go(descriptor)


class _AdvisoryTurns:
    """PostgreSQL's advisory locks, in a transaction of their own beside the one that writes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @contextmanager
    def taken(self, partition: str, *, alone: bool) -> Iterator[None]:
        catalog = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        locks = f"{catalog}({_number('catalog')}) AS a, "
        locks += f"pg_advisory_xact_lock({_number('partition ' + partition)}) AS b"
        query = f"SELECT set_config('lock_timeout', '{PATIENCE_S}s', true), {locks}"
        with self._connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                cursor.execute("FROM postgres_query('__ducklake_metadata_lake', ?)", [query]).fetchall()
            except duckdb.Error as error:
                if "lock timeout" in str(error):
                    raise _hung(partition) from error
                raise LakeError(
                    f"The lake's catalog cannot be locked for writing: {gist(error)}. "
                    "Check that its server is up, then run this partition again."
                ) from error
            yield  # Closing the cursor rolls back, which frees the locks.


def _number(name: str) -> int:
    """A lock's 64-bit number; names never reach the statement."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _hung(partition: str) -> LakeError:
    return LakeError(
        f"Another process has kept the lake from partition {partition} for {PATIENCE_S // 60} minutes: "
        "find the run that hangs, end it, and run this partition again."
    )
