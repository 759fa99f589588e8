"""What passes over the border of the lake: who writes, which version, what a check found.

Only frozen records live here, so that the lake and its gates can both import them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["UNPARTITIONED", "GateOutcome", "PartitionVersion", "Provenance"]

# The one partition of an asset that has no partitions.
UNPARTITIONED = "all"


@dataclass(frozen=True)
class Provenance:
    """Who writes: kept in the ledger and as the commit message."""

    asset_key: str
    partition: str
    run_id: str


@dataclass(frozen=True)
class PartitionVersion:
    """One partition of a table at the snapshot that last rewrote it."""

    table: str
    partition: str
    snapshot_id: int
    rows: int


@dataclass(frozen=True)
class GateOutcome:
    """What one check found on one version of a data set. Only numbers and names in ``facts``."""

    check: str
    passed: bool
    blocking: bool
    facts: Mapping[str, Any]
