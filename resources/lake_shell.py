"""A look into the lake: ``python -m resources.lake_shell [-c SQL]`` opens the profile's lake read-only.

With ``-c`` one statement is run and its result printed. Without it, DuckDB's own command line is started
where the package duckdb-cli is installed, else a plain prompt.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb

from resources.duckdb_text import gist, literal
from resources.errors import ResourceError
from resources.lake_connection import (
    LIBRARIES,
    LakeSettings,
    attach_statements,
    cannot_open,
    connect,
    extensions_of,
)
from resources.profile import load_profile

__all__ = ["main", "prompt", "show"]

WIDTH = 160
ROWS = 100
WELCOME = (
    "The lake, read-only. SHOW TABLES; lists what there is. End statements with ; and leave with Ctrl-D."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the shell; returns the exit status, 1 after an error."""
    parser = argparse.ArgumentParser(prog="lake_shell", description="Look into the lake, read-only.")
    parser.add_argument("-c", dest="statement", metavar="SQL", help="run one statement and print its result")
    given = parser.parse_args(arguments)
    try:
        profile = load_profile().lake
        settings = LakeSettings(profile.catalog, profile.data_path, profile.memory_limit, read_only=True)
        with tempfile.TemporaryDirectory() as folder:
            # Also for DuckDB's own shell: installs the extensions, and tells of a lake that is not there.
            connection = _opened(settings, Path(folder) / "spill")
            if given.statement is not None:
                show(connection, given.statement)
            elif importlib.util.find_spec("duckdb_cli"):
                connection.close()
                return _duckdb_shell(settings, Path(folder) / "init.sql")
            else:
                prompt(connection, sys.stdin)
    except ResourceError as error:
        print(error, file=sys.stderr)
        return 1
    except duckdb.Error as error:
        print(gist(error), file=sys.stderr)
        return 1
    return 0


def show(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Run a statement and print its result as a table, long ones shortened in the middle."""
    relation = connection.sql(sql)
    if relation is not None:
        relation.show(max_width=WIDTH, max_rows=ROWS)


def prompt(connection: duckdb.DuckDBPyConnection, lines: Iterable[str]) -> None:
    """Read statements that end with ``;`` and print their results or errors, until the lines end."""
    print(WELCOME)
    waiting = ""
    print("lake> ", end="", flush=True)
    for line in lines:
        waiting += line
        if waiting.rstrip().endswith(";"):
            try:
                show(connection, waiting)
            except duckdb.Error as error:
                print(gist(error))
            waiting = ""
        print("lake> " if not waiting.strip() else "  ... ", end="", flush=True)
    print()


def _opened(settings: LakeSettings, spill: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = connect(settings, spill)
    except (duckdb.Error, OSError) as error:
        raise cannot_open(settings, error) from error
    connection.execute("USE lake")
    return connection


def _duckdb_shell(settings: LakeSettings, init: Path) -> int:
    loads = [f"LOAD {LIBRARIES.get(name, name)}" for name in extensions_of(settings)]
    limit = f"SET memory_limit = {literal(settings.memory_limit)}"
    statements = [*loads, *attach_statements(settings), limit, "USE lake"]
    init.write_text(";\n".join(statements) + ";\n", encoding="utf-8")
    print(WELCOME)
    return subprocess.run([sys.executable, "-m", "duckdb_cli", "-init", str(init)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
