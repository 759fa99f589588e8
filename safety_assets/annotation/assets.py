"""The annotation stage in Dagster: ``safety_annotations``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from resources.lake import Lake, PartitionVersion
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from safety_assets.annotation.checks import CHECKS, annotation_gates
from safety_assets.annotation.oracle import oracle_rows
from safety_assets.annotation.refinement import FileOracle, ModelOracle, RelabelOracle, refine_annotations
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
        default="seeds",
        description="seeds (packaged), oracle (the language model), a .jsonl file of one's own, or refine: all "
        "annotations that are there, and labels where the scorers disagree. Any but refine begins anew.",
    )
    oracle: str = Field(
        default="model",
        description="Who labels when refining: model (the language model), or a .jsonl file; of a file's texts those "
        "are labelled that are in the lake.",
    )
    sample_size: int = Field(
        default=1_000, gt=0, description="Documents of the lake that are labelled, by oracle or refine."
    )


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
    """Texts labelled 0-5 with a harm category and a split: packaged seeds, one's own file, an oracle's, or refined.

    Refining keeps what is there and adds labels where the scores of the round before disagree: job
    ``refine_classifier``, then a backfill of ``scores``, then ``audit``, and again.
    """
    store, usage = lake.open(), Usage()
    answers = LakeAnswers(store, provenance(context))
    if config.labeller == "refine":
        oracle = _oracle(config, models, answers, usage)
        version, facts = _refined(context, store, oracle, config.sample_size)
    else:
        rows = _rows(config, store, models, answers, usage)
        batches = record_batches(rows, store.schema("safety_annotations"))
        version, facts = store.replace_partition("safety_annotations", batches, provenance(context)), {}
    outcomes, numbers = annotation_gates(store, version)
    return materialised(context, store, version, outcomes, numbers | facts | usage_metadata(usage))


def _rows(
    config: AnnotationConfig, lake: Lake, models: ModelsResource, answers: LakeAnswers, usage: Usage
) -> Iterator[dict[str, Any]]:
    if config.labeller == "oracle":
        most, model = models.profile().scoring.llm_max_chars, models.language_model()
        return oracle_rows(lake, config.sample_size, model, answers, usage, max_chars=most)
    return seed_rows() if config.labeller == "seeds" else file_rows(Path(config.labeller))


def _oracle(
    config: AnnotationConfig, models: ModelsResource, answers: LakeAnswers, usage: Usage
) -> RelabelOracle:
    if config.oracle != "model":
        return FileOracle.of(Path(config.oracle))
    return ModelOracle(models.language_model(), answers, usage, models.profile().scoring.llm_max_chars)


def _refined(
    context: dg.AssetExecutionContext, lake: Lake, oracle: RelabelOracle, count: int
) -> tuple[PartitionVersion, dict[str, Any]]:
    """A round over the shards whose scores passed their gates."""
    scored = [("scored_fineweb", version.partition) for version in lake.versions("scored_fineweb")]
    shards = sorted(key for _, key in set(scored) - lake.failing_gates(scored))
    refinement = refine_annotations(lake, oracle, shards, count, provenance(context))
    if refinement.asked and not refinement.added:
        context.log.warning(
            f"{oracle.name} could label none of {refinement.asked} documents: see their states."
        )
    counts = {"shards": len(shards), "shards_left_out": len(scored) - len(shards)}
    return refinement.version, {"oracle": oracle.name, **refinement.numbers, **counts}
