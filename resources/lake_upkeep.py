"""Upkeep of a lake: small files become large ones, and snapshots that nobody may ask for are forgotten.

The rule of what stays is the simplest safe one: every snapshot in the ledger stays, so each version that a
gate, a report card or a training window names can be read for ever, superseded or not. What goes are the
snapshots in between: appended answers, gates, upkeep itself. Rows that a rerun replaced are kept, so reruns
cost disk.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb

from resources.duckdb_text import gist
from resources.errors import LakeError
from resources.lake_commits import Commits
from resources.lake_records import Compaction, Provenance
from resources.statements import statement

__all__ = ["compact"]

# A file that no snapshot names may belong to a transaction under way; none takes a day.
ORPHAN_DAYS = 1
UPKEEP = Provenance("lake_upkeep", "upkeep", "")


def compact(connection: duckdb.DuckDBPyConnection, commits: Commits, keep_days: int) -> Compaction:
    """See :meth:`resources.lake.Lake.compact`. Every step is its own transaction."""
    if keep_days < 0:
        raise LakeError(f"keep_days is {keep_days}: give 0 or more days for which old snapshots are kept.")
    counts = {"flushed": 0, "merged": 0, "expired": 0, "removed": 0}

    def flush(cursor: duckdb.DuckDBPyConnection) -> None:
        counts["flushed"] = len(cursor.execute("CALL ducklake_flush_inlined_data('lake')").fetchall())

    def merge(cursor: duckdb.DuckDBPyConnection) -> None:
        merged = cursor.execute("CALL ducklake_merge_adjacent_files('lake')").fetchall()
        counts["merged"] = sum(row[2] for row in merged)

    def expire(cursor: duckdb.DuckDBPyConnection) -> None:
        found = cursor.execute(
            statement("reports", "expirable_snapshots"), {"before": _ago(keep_days)}
        ).fetchall()
        counts["expired"] = len(found)
        if found:
            versions = [row[0] for row in found]
            cursor.execute("CALL ducklake_expire_snapshots('lake', versions => ?)", [versions])

    for step in (flush, merge, expire):
        commits.run(step, UPKEEP, alone=True)
    try:
        with connection.cursor() as cursor:
            for call, days in (
                ("CALL ducklake_cleanup_old_files('lake', older_than => ?)", keep_days),
                ("CALL ducklake_delete_orphaned_files('lake', older_than => ?)", max(keep_days, ORPHAN_DAYS)),
            ):
                counts["removed"] += len(cursor.execute(call, [_ago(days)]).fetchall())
    except duckdb.Error as error:
        raise LakeError(
            f"Old files of the lake could not be removed: {gist(error)}. "
            "Nothing is lost; mend that and run the upkeep again."
        ) from error
    return Compaction(counts["flushed"], counts["merged"], counts["expired"], counts["removed"])


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
