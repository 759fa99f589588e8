"""The annotation stage in Dagster: ``safety_annotations``."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from safety_assets.annotation.checks import CHECKS, annotation_gates
from safety_assets.annotation.oracle import oracle_rows
from safety_assets.annotation.seeds import file_rows, seed_rows
from safety_assets.answers import LakeAnswers
from safety_assets.batches import record_batches
from safety_assets.generation import Usage
from safety_assets.shell import (
    OWNERS,
    check_specs,
    column_schema,
    materialised,
    provenance,
    usage_metadata,
)


class AnnotationConfig(dg.Config):
    """Run config of ``safety_annotations``."""

    labeller: str = Field(
        default="seeds", description="seeds (packaged), a .jsonl file of one's own, or oracle."
    )
    sample_size: int = Field(default=1_000, gt=0, description="Documents of the lake that the oracle labels.")


@dg.asset(
    group_name="annotation",
    kinds={"llm", "duckdb"},
    owners=OWNERS,
    code_version="1",
    check_specs=check_specs("safety_annotations", CHECKS),
    metadata=column_schema("safety_annotations"),
    pool="gpu",
    tags={"stage": "annotation"},
)
def safety_annotations(
    context: dg.AssetExecutionContext, config: AnnotationConfig, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Texts labelled 0-5 with a harm category and a split: the packaged seeds, one's own file, or an oracle's labels."""
    store, usage = lake.open(), Usage()
    if config.labeller == "oracle":
        answers, settings = LakeAnswers(store, provenance(context)), models.profile().scoring
        rows = oracle_rows(
            store,
            config.sample_size,
            models.language_model(),
            answers,
            usage,
            max_chars=settings.llm_max_chars,
        )
    else:
        rows = seed_rows() if config.labeller == "seeds" else file_rows(Path(config.labeller))
    batches = record_batches(rows, store.schema("safety_annotations"))
    version = store.replace_partition("safety_annotations", batches, provenance(context))
    outcomes, numbers = annotation_gates(store, version)
    return materialised(context, store, version, outcomes, numbers | usage_metadata(usage))
