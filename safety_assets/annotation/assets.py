"""The annotation stage in Dagster: ``safety_annotations``."""

import dagster as dg

from resources.lake_resource import LakeResource
from safety_assets.annotation.checks import CHECKS, annotation_gates
from safety_assets.annotation.seeds import seed_rows
from safety_assets.batches import record_batches
from safety_assets.shell import OWNERS, check_specs, column_schema, materialised, provenance


@dg.asset(
    group_name="annotation",
    kinds={"duckdb"},
    owners=OWNERS,
    code_version="1",
    check_specs=check_specs("safety_annotations", CHECKS),
    metadata=column_schema("safety_annotations"),
    tags={"stage": "annotation"},
)
def safety_annotations(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Texts labelled 0-5 with a harm category and a split: the packaged seeds, one's own file, or an oracle's labels."""
    store = lake.open()
    batches = record_batches(seed_rows(), store.schema("safety_annotations"))
    version = store.replace_partition("safety_annotations", batches, provenance(context))
    outcomes, numbers = annotation_gates(store, version)
    return materialised(context, store, version, outcomes, numbers)
