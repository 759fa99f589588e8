"""Partitions: one per source shard, found while running; their keys are validated where shards are named."""

from __future__ import annotations

import dagster as dg

__all__ = ["SHARDS"]

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
