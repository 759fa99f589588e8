"""Partitions: one per source shard, found while running; and one per recipe of the ladder.

Keys of shards are validated where shards are named; recipes are named in ``mixtures/recipes.yaml``.
"""

from __future__ import annotations

import dagster as dg

from safety_assets.mixtures.recipes import load_recipes

__all__ = ["RECIPES", "SHARDS"]

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
RECIPES = dg.StaticPartitionsDefinition(list(load_recipes()))
