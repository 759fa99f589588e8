"""Text into DuckDB and out of it: names and literals in statements, and what its errors say.

ATTACH and table names take no parameters; text becomes part of a statement only through here.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from resources.errors import LakeError

__all__ = ["gist", "half_written", "identifier", "literal", "lost_race"]

GIST_CHARS = 300
# What is said when somebody else was first: by SQLite, by PostgreSQL, and by DuckLake itself.
LOST_RACE = (
    "database is locked",
    "could not serialize access",
    "deadlock detected",
    "duplicate key",
    "already exists",
    "Transaction conflict",
)


def identifier(name: str) -> str:
    """A table or column name, quoted; anything but ASCII letters, digits and ``_`` is refused."""
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise LakeError(f"{name!r} is not a table or column name: use letters, digits and underscores.")
    return f'"{name}"'


def literal(text: str) -> str:
    """A quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


def gist(error: BaseException | str) -> str:
    """The first paragraph of an error on one line; of a long one both ends, as the cause comes last."""
    text = " ".join(str(error).strip().split("\n\n")[0].split()).rstrip(".?") or type(error).__name__
    return text if len(text) <= GIST_CHARS else f"{text[: GIST_CHARS // 2]} … {text[-GIST_CHARS // 2 :]}"


def lost_race(error: duckdb.Error) -> bool:
    """Whether somebody else was first, so that the same transaction can succeed when tried again.

    A failed COMMIT is always a ``TransactionException``, for a race as for a full disk, and DuckLake passes
    the catalog's own error on as text, in a plain ``duckdb.Error`` when it happens before the commit. So this
    module is the one place that looks at the text of an error.
    """
    return any(words in str(error) for words in LOST_RACE)


def half_written(error: BaseException) -> Path | None:
    """The data file that was being written when the disk was full; DuckDB leaves it behind."""
    found = re.search(r'Could not write file "(?P<path>/[^"]+\.parquet)"', str(error))
    return Path(found["path"]) if isinstance(error, duckdb.IOException) and found else None
