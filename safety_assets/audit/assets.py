"""The audit in Dagster: ``score_audit``, over all scored shards."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from resources.errors import LakeError
from resources.lake import Lake, PartitionVersion
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from resources.profile import AuditProfile, safety_home
from safety_assets.answers import LakeAnswers
from safety_assets.audit.checks import CHECKS, WARNINGS, audit_gates
from safety_assets.audit.judges import AuditJudge, FileJudge, LabelsJudge, OracleJudge, write_sample
from safety_assets.audit.run_audit import Audit, audit_markdown, audit_scores, keep_audit
from safety_assets.generation import Usage
from safety_assets.shell import (
    OWNERS,
    UNPARTITIONED,
    GateOverride,
    check_specs,
    column_schema,
    materialised,
    provenance,
    usage_metadata,
)


class AuditConfig(GateOverride):
    """Run config of ``score_audit``; what is not set comes from the profile."""

    judge: str | None = Field(
        default=None,
        description="labels (packaged and annotated), oracle (the language model), or a .jsonl file of labels.",
    )
    per_stratum: int | None = Field(
        default=None, gt=0, description="Documents of each score and source at most."
    )


@dg.asset(
    group_name="scoring",
    kinds={"report", "duckdb"},
    owners=OWNERS,
    code_version="1",
    # A sample is drawn from every shard that this classifier scored.
    deps=[
        dg.AssetDep("scored_fineweb", partition_mapping=dg.AllPartitionMapping()),
        "safety_classifier",
        "safety_annotations",
    ],
    pool="gpu",
    check_specs=check_specs("score_audit", CHECKS) + check_specs("score_audit", WARNINGS, blocking=False),
    metadata=column_schema("score_audit"),
    tags={"stage": "audit"},
)
def score_audit(
    context: dg.AssetExecutionContext, config: AuditConfig, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Precision and recall of the scores on the corpus, from a judged sample by score and source, with intervals."""
    store, settings, usage = lake.open(), models.profile().audit, Usage()
    found = store.rows("newest_classifier")
    shards = [("scored_fineweb", version.partition) for version in store.versions("scored_fineweb")]
    inputs = sorted(set(shards) - store.failing_gates(shards))
    if not found or not inputs:
        raise LakeError("There are no scores to audit: materialise scored_fineweb of a shard first.")
    versions = store.require_gates(
        [*inputs, ("safety_classifier", UNPARTITIONED)],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )
    judge = _judge(
        config.judge or settings.judge, store, models, LakeAnswers(store, provenance(context)), usage
    )
    keys = [shard for _, shard in inputs]
    # A judge may take hours: what it was given is noted before, and read at the version whose gates were seen.
    read = [version for version in store.versions("scored_fineweb") if version.partition in set(keys)]
    settings = settings.model_copy(update={"per_stratum": config.per_stratum or settings.per_stratum})
    audit = _audit(store, found[0]["version"], keys, judge, settings, versions["scored_fineweb"])
    sample = write_sample(audit.sample, safety_home() / "audit")
    version = keep_audit(store, audit, read, provenance(context), least_judged=settings.least_judged)
    gates = audit_gates(audit, floor=settings.precision_floor, least_judged=settings.least_judged)
    facts = _facts(audit, len(keys), len(shards) - len(keys)) | {"sample": dg.MetadataValue.path(str(sample))}
    return materialised(context, store, version, gates, facts | usage_metadata(usage))


def _audit(
    lake: Lake,
    scorer: str,
    keys: list[str],
    judge: AuditJudge,
    settings: AuditProfile,
    scores: PartitionVersion,
) -> Audit:
    return audit_scores(
        lake, scorer, keys, judge, per_stratum=settings.per_stratum, seed=settings.seed, scores=scores
    )


def _judge(name: str, lake: Lake, models: ModelsResource, answers: LakeAnswers, usage: Usage) -> AuditJudge:
    match name:
        case "labels":
            return LabelsJudge.of(lake)
        case "oracle":
            most = models.profile().scoring.llm_max_chars
            return OracleJudge(models.language_model(), answers, usage, most)
        case _:
            return FileJudge(Path(name))


def _facts(audit: Audit, shards: int, left_out: int) -> dict[str, Any]:
    """Numbers under stable names, so that the UI plots their history."""
    facts: dict[str, Any] = {
        "table": dg.MetadataValue.md(audit_markdown(audit)),
        "judge": audit.judge,
        "scorer": audit.scorer,
        "documents": audit.documents,
        "sampled": len(audit.sample),
        "unjudged": audit.unjudged,
        "shards": shards,
        "shards_left_out": left_out,
    }
    for one in audit.estimates:
        if one.estimate is not None and one.measure in ("precision", "recall"):
            facts[f"{one.measure}_ge{one.level}"] = one.estimate.value
    return facts
