"""What every asset's shell shares: provenance, gates as check results, metadata. Nothing of a stage's work.

An asset reads, calls one function, writes, and ends in :func:`materialised`, which stores the outcomes of its checks
with the exact version they looked at before it reports them to Dagster.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.lake import UNPARTITIONED, GateOutcome, Lake, PartitionVersion, Provenance
from resources.statements import statement
from safety_assets.generation import Usage

__all__ = [
    "OWNERS",
    "UNPARTITIONED",
    "GateOverride",
    "check_specs",
    "column_schema",
    "every",
    "gated",
    "materialised",
    "provenance",
    "say",
    "usage_metadata",
]

OWNERS = ["team:safety-data"]

_COLUMN = re.compile(r'^    "?(?P<name>\w+)"? (?P<type>.+?)(?P<required> NOT NULL)?,?$', re.MULTILINE)


class GateOverride(dg.Config):
    """Run config of every asset that reads gated inputs."""

    override_gates_because: str | None = None


def provenance(context: dg.AssetExecutionContext) -> Provenance:
    """Who writes, for the lake's ledger."""
    partition = context.partition_key if context.has_partition_key else UNPARTITIONED
    return Provenance(context.asset_key.to_user_string(), partition, context.run_id)


def gated(
    context: dg.AssetExecutionContext, lake: Lake, config: GateOverride, *tables: str
) -> dict[str, PartitionVersion]:
    """Versions of this partition of the tables, once each has passed its gates; see :meth:`Lake.require_gates`."""
    return lake.require_gates(
        [(table, context.partition_key) for table in tables],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )


def column_schema(table: str) -> dict[str, dg.TableSchema]:
    """Column metadata of an asset, read from the table's own DDL."""
    columns = [
        dg.TableColumn(
            match["name"],
            match["type"],
            constraints=dg.TableColumnConstraints(nullable=not match["required"]),
        )
        for match in _COLUMN.finditer(statement("tables", table))
    ]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def check_specs(asset: str, checks: Mapping[str, str], *, blocking: bool = True) -> list[dg.AssetCheckSpec]:
    """Check specs of an asset from {name: description}; what does not block warns."""
    return [
        dg.AssetCheckSpec(
            name, asset=dg.AssetKey(asset.split("/")), description=description, blocking=blocking
        )
        for name, description in checks.items()
    ]


def materialised(
    context: dg.AssetExecutionContext,
    lake: Lake,
    version: PartitionVersion,
    outcomes: Sequence[GateOutcome],
    metadata: Mapping[str, Any],
) -> dg.MaterializeResult:
    """Store the gates of a version, then tell Dagster of it, of its checks and of its numbers."""
    lake.record_gates(version, outcomes, provenance(context))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(str(version.snapshot_id)),
        metadata={
            "dagster/partition_row_count": version.rows,
            "snapshot_id": version.snapshot_id,
            **metadata,
        },
        check_results=list(_results(outcomes)),
    )


def say(context: dg.AssetExecutionContext, every_s: float = 10.0) -> Callable[[Usage], None]:
    """A progress callback that writes to the run's log at most every ``every_s`` seconds. Numbers only."""
    now = every(every_s)

    def progress(usage: Usage) -> None:
        if now():
            context.log.info(
                f"{context.asset_key.to_user_string()}: {usage.asked} answers from the model, "
                f"{usage.reused} kept from before, {usage.completion_tokens} tokens written"
            )

    return progress


def every(seconds: float) -> Callable[[], bool]:
    """A question that is answered yes at most every so many seconds."""
    last = time.monotonic()

    def now() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return True

    return now


def usage_metadata(usage: Usage) -> dict[str, int]:
    """What a run asked of the language model."""
    return {
        "llm_requests": usage.asked,
        "llm_requests_reused": usage.reused,
        "llm_requests_failed": usage.failed,
        "llm_prompt_tokens": usage.prompt_tokens,
        "llm_completion_tokens": usage.completion_tokens,
    }


def _results(outcomes: Sequence[GateOutcome]) -> Iterator[dg.AssetCheckResult]:
    for outcome in outcomes:
        yield dg.AssetCheckResult(
            check_name=outcome.check,
            passed=outcome.passed,
            severity=dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN,
            metadata=dict(outcome.facts),
        )
