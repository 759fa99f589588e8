"""The training stage in Dagster: a recipe's model pretrained, tuned, and finetuned on something harmless."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.lake import Lake
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource, models_cache
from resources.profile import safety_home
from safety_assets.partitions import RECIPES
from safety_assets.shell import (
    OWNERS,
    GateOverride,
    check_specs,
    column_schema,
    every,
    gated,
    materialised,
    provenance,
)
from safety_assets.training.charts import loss_curve_uri
from safety_assets.training.checks import CHECKS, checkpoint_gates

SHARED: dict[str, Any] = {
    "partitions_def": RECIPES,
    "group_name": "training",
    "kinds": {"torch", "litgpt"},
    "owners": OWNERS,
    "backfill_policy": dg.BackfillPolicy.multi_run(1),
    "pool": "gpu",
    "tags": {"stage": "training"},
    "code_version": "1",
}


@dg.asset(
    **SHARED,
    deps=["tokenized_mixture"],
    check_specs=check_specs("checkpoint", CHECKS),
    metadata=column_schema("checkpoint"),
)
def checkpoint(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """A model pretrained from scratch on the recipe's mixture, exported to Hugging Face format (SP section 5)."""
    from safety_assets.training.stages import pretrain

    store = lake.open()
    mixture = gated(context, store, config, "tokenized_mixture")["tokenized_mixture"]
    made = pretrain(store, mixture, _workshop(models), _progress(context))
    return _kept(context, store, "checkpoint", made)


@dg.asset(
    **SHARED,
    deps=["checkpoint"],
    check_specs=check_specs("instruct_checkpoint", CHECKS),
    metadata=column_schema("instruct_checkpoint"),
)
def instruct_checkpoint(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """The pretrained model, tuned on chats and safety data in the recipe's own format (SP section 5)."""
    from safety_assets.training.stages import read_checkpoint, tune

    store = lake.open()
    base = read_checkpoint(store, gated(context, store, config, "checkpoint")["checkpoint"])
    made = tune(base, context.partition_key, _workshop(models), _progress(context))
    return _kept(context, store, "instruct_checkpoint", made)


@dg.asset(
    **SHARED,
    deps=["instruct_checkpoint"],
    check_specs=check_specs("benign_finetuned_checkpoint", CHECKS),
    metadata=column_schema("benign_finetuned_checkpoint"),
)
def benign_finetuned_checkpoint(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """The tuned model, finetuned on harmless problems: what is left of its alignment is measured (SP section 5)."""
    from safety_assets.training.stages import finetune, read_checkpoint

    store = lake.open()
    tuned = read_checkpoint(
        store, gated(context, store, config, "instruct_checkpoint")["instruct_checkpoint"]
    )
    made = finetune(tuned, context.partition_key, _workshop(models), _progress(context))
    return _kept(context, store, "benign_finetuned_checkpoint", made)


def _workshop(models: ModelsResource):
    from safety_assets.training.stages import Workshop

    home = safety_home()
    return Workshop(models.profile(), home / "checkpoints", models_cache(), home / "shards")


def _progress(context: dg.AssetExecutionContext) -> Callable[[Any, int], None]:
    now = every(10.0)

    def progress(point: Any, steps: int) -> None:
        if now():
            context.log.info(
                f"{context.asset_key.to_user_string()}: step {point.step} of {steps}, loss {point.loss:.3f}"
            )

    return progress


def _kept(context: dg.AssetExecutionContext, lake: Lake, table: str, made: Any) -> dg.MaterializeResult:
    from safety_assets.training.checkpoints import checkpoint_row

    row = checkpoint_row(context.partition_key, made)
    batch = pa.RecordBatch.from_pylist([row], schema=lake.schema(table))
    version = lake.replace_partition(table, [batch], provenance(context))
    outcomes, numbers = checkpoint_gates(made)
    facts = {
        "model": made.model,
        "weights_digest": made.version,
        "made_from": made.parent,
        "hugging_face_folder": dg.MetadataValue.path(str(made.export)),
        "loss_curve": dg.MetadataValue.md(f"![loss curve]({loss_curve_uri(made.loss_curve)})"),
    }
    return materialised(context, lake, version, outcomes, numbers | facts)
