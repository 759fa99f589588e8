"""The marking stage in Dagster: harmfulness tags and safety reflections, one shard at a time."""

from typing import Any

import dagster as dg

from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from safety_assets.answers import LakeAnswers
from safety_assets.generation import Usage
from safety_assets.marking.checks import REFLECTION_CHECKS, TAG_CHECKS, reflection_gates, tag_gates
from safety_assets.marking.reflect_shard import reflect_shard
from safety_assets.marking.tag_shard import tag_shard
from safety_assets.partitions import SHARDS
from safety_assets.scoring.scorer import open_scorer
from safety_assets.shell import (
    OWNERS,
    GateOverride,
    check_specs,
    column_schema,
    gated,
    materialised,
    provenance,
    say,
)

SHARED: dict[str, Any] = {
    "partitions_def": SHARDS,
    "group_name": "marking",
    "owners": OWNERS,
    "backfill_policy": dg.BackfillPolicy.multi_run(1),
    "pool": "gpu",
    "tags": {"stage": "marking"},
}


@dg.asset(
    **SHARED,
    kinds={"duckdb", "parquet"},
    code_version="1",
    deps=["fineweb", "scored_fineweb"],
    check_specs=check_specs("tagged_corpus", TAG_CHECKS),
    metadata=column_schema("tagged_corpus"),
)
def tagged_corpus(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Where the harmfulness tag goes in documents scored unsafe: before words, at a rate of 5 % (SP section 4)."""
    store, settings = lake.open(), models.profile().marking
    versions = gated(context, store, config, "fineweb", "scored_fineweb")
    version = tag_shard(store, versions, provenance(context), rate=settings.tag_rate, seed=settings.tag_seed)
    outcomes, numbers = tag_gates(store, version)
    return materialised(context, store, version, outcomes, numbers)


@dg.asset(
    **SHARED,
    kinds={"torch", "duckdb", "parquet"},
    code_version="1",
    deps=["fineweb", "scored_fineweb", "safety_classifier"],
    check_specs=check_specs("reflected_corpus", REFLECTION_CHECKS),
    metadata=column_schema("reflected_corpus"),
)
def reflected_corpus(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Segments of 100 words of every scored document, each with the verdict that is reflected on (SRP section 4)."""
    store, settings = lake.open(), models.profile().marking
    versions = gated(context, store, config, "fineweb", "scored_fineweb")
    scorer = open_scorer(store, models, LakeAnswers(store, provenance(context)), Usage(), say(context))
    version = reflect_shard(
        store, versions, scorer, provenance(context), segment_words=settings.segment_words
    )
    outcomes, numbers = reflection_gates(store, version)
    return materialised(context, store, version, outcomes, numbers)
