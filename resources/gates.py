"""Gates: what checks found on an exact version of a data set, and who may read it.

A check that runs beside the data stops nobody who comes later. So consumers ask here for the versions they
will read, and are refused any that did not pass. Passing in spite of that needs a reason, which is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from resources.errors import GateError, LakeError
from resources.lake_records import GateOutcome, PartitionVersion, Provenance

__all__ = ["failing", "record", "require"]


class Shelf(Protocol):
    """What gates need of a lake."""

    def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...

    def schema(self, table: str) -> pa.Schema: ...

    def append(self, table: str, batch: pa.RecordBatch, provenance: Provenance) -> int: ...


def record(
    lake: Shelf, version: PartitionVersion, outcomes: Sequence[GateOutcome], provenance: Provenance
) -> None:
    """Store what the checks found on exactly this version. The last outcome of a check counts.

    Raises:
        LakeError: facts that are not JSON, or a failed write.
    """
    rows = [
        _row(version, outcome.check, outcome.passed, outcome.blocking, outcome.facts, provenance)
        for outcome in outcomes
    ]
    _append(lake, rows, provenance)


def failing(lake: Shelf, inputs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the (table, partition) inputs whose newest version failed a blocking gate, or was never checked."""
    parameters = {
        "datasets": [table for table, _ in inputs],
        "partitions": [partition for _, partition in inputs],
    }
    found = lake.rows("gates_of_inputs", parameters) if inputs else []
    return {(row["dataset"], row["partition"]) for row in found if row["failed"] or not row["checks"]}


def require(
    lake: Shelf,
    inputs: Sequence[tuple[str, str]],
    *,
    provenance: Provenance,
    override_reason: str | None = None,
) -> dict[str, PartitionVersion]:
    """The versions of (table, partition) inputs, once each is known to have passed its blocking gates.

    All inputs are looked up at one moment. Where a table is given with several partitions, the newest of
    their versions is returned: the table at that snapshot has all of them as they were checked.

    Raises:
        GateError: an input was never written, was never checked at its version, or failed. All are listed.
    """
    inputs = list(dict.fromkeys(inputs))
    parameters = {
        "datasets": [table for table, _ in inputs],
        "partitions": [partition for _, partition in inputs],
    }
    found = {(row["dataset"], row["partition"]): row for row in lake.rows("gates_of_inputs", parameters)}
    problems: dict[tuple[str, str], str] = {}
    for table, partition in inputs:
        row = found.get((table, partition))
        if row is None:
            problems[table, partition] = "was never written"
        elif row["failed"] or not row["checks"]:
            what = f"failed {', '.join(row['failed'])}" if row["failed"] else "was never checked"
            problems[table, partition] = f"at snapshot {row['snapshot_id']} {what}"
    reason = (override_reason or "").strip()
    if problems and (not reason or any(key not in found for key in problems)):
        raise GateError(_refusal(problems, found))
    overridden = [
        _row(
            _version(found[key]),
            f"override by {provenance.asset_key}",
            True,
            False,
            {"overrode": problem},
            provenance,
            reason,
        )
        for key, problem in problems.items()
    ]
    _append(lake, overridden, provenance)
    versions: dict[str, PartitionVersion] = {}
    for row in found.values():
        version = _version(row)
        if version.table not in versions or versions[version.table].snapshot_id < version.snapshot_id:
            versions[version.table] = version
    return versions


def _refusal(problems: Mapping[tuple[str, str], str], found: Mapping[tuple[str, str], Any]) -> str:
    listed = "; ".join(f"{table}[{partition}] {problem}" for (table, partition), problem in problems.items())
    if any(key not in found for key in problems):
        return f"{listed}. Materialise what was never written first; no reason can stand in for it."
    return f"{listed}. Mend and materialise again, or give override_gates_because in the run config."


def _version(row: Mapping[str, Any]) -> PartitionVersion:
    return PartitionVersion(row["dataset"], row["partition"], row["snapshot_id"], row["rows"])


def _row(
    version: PartitionVersion,
    check: str,
    passed: bool,
    blocking: bool,
    facts: Mapping[str, Any],
    provenance: Provenance,
    override_reason: str | None = None,
) -> dict[str, Any]:
    try:
        written = json.dumps(dict(facts), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LakeError(
            f"The facts of check {check} on {version.table}[{version.partition}] are not JSON: {error}. "
            "Give finite numbers and names only."
        ) from error
    return {
        "dataset": version.table,
        "partition": version.partition,
        "snapshot_id": version.snapshot_id,
        "check_name": check,
        "passed": bool(passed),
        "blocking": bool(blocking),
        "facts": written,
        "override_reason": override_reason,
        "run_id": provenance.run_id,
        "recorded_at": time.time_ns() // 1000,
    }


def _append(lake: Shelf, rows: list[dict[str, Any]], provenance: Provenance) -> None:
    if not rows:
        return
    schema = lake.schema("gates")
    # Microseconds since 1970 become the table's time stamps.
    arrays = [pa.array([row[field.name] for row in rows]).cast(field.type) for field in schema]
    lake.append("gates", pa.RecordBatch.from_arrays(arrays, schema=schema), provenance)
