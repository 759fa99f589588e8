"""The mixture stage in Dagster: ``tokenized_mixture``, one partition per recipe, out of all shards."""

import hashlib

import dagster as dg

from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource, models_cache
from resources.profile import safety_home
from safety_assets.mixtures.checks import CHECKS, WARNINGS, mixture_gates, plan_table
from safety_assets.mixtures.mix import inputs_of, mix, mixture_settings, mixture_tokenizer, recipe_of
from safety_assets.partitions import RECIPES
from safety_assets.shell import (
    OWNERS,
    GateOverride,
    check_specs,
    column_schema,
    materialised,
    provenance,
)

SOURCES = (
    "fineweb",
    "scored_fineweb",
    "safeweb",
    "refuseweb",
    "moral_education",
    "tagged_corpus",
    "reflected_corpus",
)


@dg.asset(
    partitions_def=RECIPES,
    group_name="mixtures",
    kinds={"huggingface", "duckdb", "parquet"},
    owners=OWNERS,
    code_version="1",
    # A mixture is drawn from every shard that has been through the tables of its recipe.
    deps=[dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in SOURCES],
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    check_specs=check_specs("tokenized_mixture", CHECKS)
    + check_specs("tokenized_mixture", WARNINGS, blocking=False),
    metadata=column_schema("tokenized_mixture"),
    tags={"stage": "mixtures"},
)
def tokenized_mixture(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Training windows of a recipe: an exact token budget per slice, in one seeded order (SP section 5)."""
    store, profile = lake.open(), models.profile().mixture
    recipe = recipe_of(context.partition_key, profile)
    inputs, left_out = inputs_of(recipe, store, overriding=bool(config.override_gates_because))
    versions = store.require_gates(
        inputs, provenance=provenance(context), override_reason=config.override_gates_because
    )
    tokenizer = mixture_tokenizer(profile, models_cache())
    version, actuals = mix(
        recipe,
        profile,
        store,
        inputs,
        versions,
        tokenizer,
        provenance(context),
        cache=safety_home() / "shards",
    )
    outcomes, numbers = mixture_gates(store, version, mixture_settings(profile), actuals)
    read = repr(sorted((table, found.snapshot_id) for table, found in versions.items()))
    facts = {
        "plan_against_actual": dg.MetadataValue.md(plan_table(actuals)),
        "shards": len({shard for _, shard in inputs}),
        "shards_left_out": left_out,
        "inputs_digest": hashlib.sha256(read.encode()).hexdigest()[:16],
        "tokenizer": f"{tokenizer.name}@{tokenizer.digest}",
    }
    return materialised(context, store, version, outcomes, numbers | facts)
