"""SQL statements by name: every statement longer than one line lives under ``sql/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["names", "statement"]

SQL_ROOT = Path(__file__).resolve().parent.parent / "sql"


@cache
def statement(kind: str, name: str) -> str:
    """The text of ``sql/<kind>/<name>.sql``; ``kind`` is ``tables``, ``views`` or ``reports``."""
    return (SQL_ROOT / kind / f"{name}.sql").read_text(encoding="utf-8")


@cache
def names(kind: str) -> tuple[str, ...]:
    """Names of all statements of a kind, sorted."""
    return tuple(sorted(path.stem for path in (SQL_ROOT / kind).glob("*.sql")))
