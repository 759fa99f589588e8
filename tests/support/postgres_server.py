"""A PostgreSQL server for tests: the one named in the environment, else one started in a temporary folder.

``SAFETY_TEST_POSTGRES`` is the connection string (without dbname) of a server on which databases may be
created; the password comes from ``PGPASSWORD``. Without it ``pg_ctl`` must be found, or tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from resources.duckdb_text import literal
from resources.lake_connection import load_extension

__all__ = ["PostgresServer", "postgres_server"]

# The server refuses to run as root.
ACCOUNT = "postgres"


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``connection`` is its connection string without a database."""

    connection: str

    def new_database(self, name: str) -> str:
        """Create an empty database; returns its connection string."""
        with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
            load_extension(connection, "postgres")
            connection.execute(
                f"ATTACH {literal(self.connection + ' dbname=postgres')} AS server (TYPE postgres)"
            )
            create = f'CREATE DATABASE "{name}"'
            connection.execute("CALL postgres_execute('server', ?, use_transaction => false)", [create])
        return f"{self.connection} dbname={name}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer | None]:
    """The server, or None where there is none to be had."""
    given = os.environ.get("SAFETY_TEST_POSTGRES")
    if given:
        yield PostgresServer(given)
        return
    program = _pg_ctl()
    as_account = {"user": ACCOUNT, "group": ACCOUNT} if os.geteuid() == 0 else {}
    if program is None or (as_account and not _exists(ACCOUNT)):
        yield None
        return
    # Not under pytest's folder: the server's account may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="safety-postgres-"))
    try:
        if as_account:
            shutil.chown(folder, ACCOUNT, ACCOUNT)
        run = {
            "check": True,
            "cwd": folder,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            **as_account,
        }
        data, log, port = str(folder / "data"), str(folder / "log"), _free_port()
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        try:
            subprocess.run([program, "initdb", "-D", data, "-o", f"-A trust -U {ACCOUNT} --no-sync"], **run)
            subprocess.run([program, "start", "-w", "-D", data, "-l", log, "-o", options], **run)
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        try:
            yield PostgresServer(f"host=127.0.0.1 port={port} user={ACCOUNT}")
        finally:
            subprocess.run([program, "stop", "-m", "immediate", "-D", data], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pg_ctl() -> str | None:
    # Debian keeps the server's programs out of the path.
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return shutil.which("pg_ctl") or (str(installed[-1]) if installed else None)


def _exists(account: str) -> bool:
    import pwd

    return any(entry.pw_name == account for entry in pwd.getpwall())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
