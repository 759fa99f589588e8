"""Jobs, the sensor that finds new shards, and the nightly backfill of missing ones."""

from collections.abc import Iterator

import dagster as dg

from resources.lake_resource import LakeResource
from resources.shard_source import ShardSourceResource
from safety_assets.corpus.registry import list_source, register_shards, registered_shards
from safety_assets.partitions import RECIPES, SHARDS

__all__ = ["JOBS", "NIGHTLY_SHARDS", "SCHEDULES", "SENSORS"]

# Shards that one night may backfill: bounds the night's work, and what one bad setting can do.
NIGHTLY_SHARDS = 50
# New shards that one tick of the sensor registers.
SHARDS_PER_TICK = 100

_PER_SHARD = (
    "fineweb",
    "scored_fineweb",
    "safeweb",
    "refuseweb",
    "moral_education",
    "tagged_corpus",
    "reflected_corpus",
)
# What an audit samples, before anything is made of it.
_SCORED = ("fineweb", "scored_fineweb")
# What must have been made of a shard before it counts as done: where the ways of its documents end.
_LAST = ("moral_education", "safeweb", "tagged_corpus", "reflected_corpus")
_PER_RECIPE = (
    "tokenized_mixture",
    "report_card/tokenized_mixture",
    "checkpoint",
    "instruct_checkpoint",
    "benign_finetuned_checkpoint",
    "safety_evaluation",
)

prepare_scoring = dg.define_asset_job(
    "prepare_scoring",
    selection=dg.AssetSelection.assets("safety_annotations", "safety_classifier"),
    description="Annotations, and the classifier trained on them: once, before the first shard.",
)
train_classifier = dg.define_asset_job(
    "train_classifier",
    selection=dg.AssetSelection.assets("safety_classifier"),
    description="The classifier again, on the annotations that are there.",
)
refine_classifier = dg.define_asset_job(
    "refine_classifier",
    selection=dg.AssetSelection.assets("safety_annotations", "safety_classifier"),
    # Any other labeller would begin anew, and leave the labels of earlier rounds behind.
    config={"ops": {"safety_annotations": {"config": {"labeller": "refine"}}}},
    description="One round of refinement: keep the annotations, label where the scorers disagree, train again. "
    "Then backfill `scores` over the shards, `audit`, and repeat.",
)
data_half = dg.define_asset_job(
    "data_half",
    selection=dg.AssetSelection.assets(*_PER_SHARD),
    partitions_def=SHARDS,
    description="One shard through the whole data half: validated, scored, rephrased, refused, moralised, marked.",
)
scores = dg.define_asset_job(
    "scores",
    selection=dg.AssetSelection.assets(*_SCORED),
    partitions_def=SHARDS,
    description="One shard validated and scored: what an audit samples, before anything is made of the scores.",
)
audit = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets("score_audit"),
    description="A judged sample of the scores: their precision and recall. RefuseWeb is not made below the floor.",
)
synthesis = dg.define_asset_job(
    "synthesis",
    selection=dg.AssetSelection.assets(*(name for name in _PER_SHARD if name not in _SCORED)),
    partitions_def=SHARDS,
    description="One scored shard through the rest of the data half: rephrased, refused, moralised, marked.",
)
compare_scorers = dg.define_asset_job(
    "compare_scorers",
    selection=dg.AssetSelection.assets("classifier_benchmark"),
    description="Scorers compared on labelled files: recall, precision, false alarms, under attack, speed.",
)
model_half = dg.define_asset_job(
    "model_half",
    selection=dg.AssetSelection.assets(*_PER_RECIPE),
    partitions_def=RECIPES,
    description="One recipe through the whole model half: mixed, pretrained, tuned, finetuned, evaluated.",
)
ablation = dg.define_asset_job(
    "ablation",
    selection=dg.AssetSelection.assets("ablation_table"),
    description="The recipes that were evaluated, side by side.",
)
report_cards = dg.define_asset_job(
    "report_cards",
    selection=dg.AssetSelection.key_prefixes("report_card")
    - dg.AssetSelection.keys(["report_card", "tokenized_mixture"]),
    description="A Data Safety Report Card of every data set, from what is in the lake now.",
)
STAGE_JOBS = [
    dg.define_asset_job(
        f"{name}_only",
        selection=dg.AssetSelection.assets(name),
        partitions_def=SHARDS,
        description=f"Only {name}, for shards whose inputs are there.",
    )
    for name in _PER_SHARD
]


@dg.sensor(job=data_half, minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.STOPPED)
def new_shards(
    context: dg.SensorEvaluationContext, lake: LakeResource, source: ShardSourceResource
) -> dg.SensorResult | dg.SkipReason:
    """Registers shards that appear in the configured source as partitions; the nightly schedule works them off."""
    store, shards = lake.open(), list_source(source)
    existing = set(context.instance.get_dynamic_partitions(str(SHARDS.name)))
    known = {entry.shard for entry in registered_shards(store).values()}
    # Registering takes a transaction each, and a sensor has a minute: the rest follows at the next tick.
    unknown = [shard for shard in shards if shard not in known or shard.key not in existing][:SHARDS_PER_TICK]
    keys = register_shards(store, source.source, source.pinned_revision(), unknown, "new_shards")
    fresh = [key for key in keys if key not in existing]
    if not fresh:
        return dg.SkipReason(f"No new shard among {len(shards)} in the source.")
    return dg.SensorResult(dynamic_partitions_requests=[SHARDS.build_add_request(fresh)])


@dg.schedule(job=data_half, cron_schedule="0 2 * * *", default_status=dg.DefaultScheduleStatus.STOPPED)
def nightly_backfill(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Requests at most NIGHTLY_SHARDS runs, for registered shards that no stage's end has materialised yet."""
    keys = context.instance.get_dynamic_partitions(str(SHARDS.name))
    done = set(keys).intersection(
        *(context.instance.get_materialized_partitions(dg.AssetKey(name)) for name in _LAST)
    )
    # Those that failed before come last, so that broken shards do not keep the others waiting.
    failed = context.instance.get_status_by_partition(dg.AssetKey("fineweb"), list(keys), SHARDS) or {}
    missing = sorted(set(keys) - done, key=lambda key: (failed.get(key) is not None, key))[:NIGHTLY_SHARDS]
    if not missing:
        yield dg.SkipReason(f"All {len(keys)} registered shards are done.")
    for key in missing:
        # The night is part of the run key: a shard that failed is tried again the next night.
        night = context.scheduled_execution_time.date().isoformat()
        yield dg.RunRequest(run_key=f"{night}:{key}", partition_key=key)


JOBS = [
    prepare_scoring,
    train_classifier,
    refine_classifier,
    data_half,
    scores,
    audit,
    synthesis,
    compare_scorers,
    model_half,
    ablation,
    report_cards,
    *STAGE_JOBS,
]
SCHEDULES = [nightly_backfill]
SENSORS = [new_shards]
