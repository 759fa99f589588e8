"""The scoring stage in Dagster: ``safety_classifier`` and ``scored_fineweb``."""

from typing import Any

import dagster as dg

from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from resources.profile import safety_home
from safety_assets.answers import LakeAnswers
from safety_assets.generation import Usage
from safety_assets.pages import write_page
from safety_assets.partitions import SHARDS
from safety_assets.scoring.checks import CLASSIFIER_CHECKS, SCORE_CHECKS, classifier_gates, score_gates
from safety_assets.scoring.fit import fit_classifier
from safety_assets.scoring.score_shard import score_shard
from safety_assets.scoring.scorer import open_scorer
from safety_assets.scoring.sweep_page import sweep_html, sweep_markdown
from safety_assets.shell import (
    OWNERS,
    UNPARTITIONED,
    GateOverride,
    check_specs,
    column_schema,
    materialised,
    provenance,
    say,
    usage_metadata,
)


@dg.asset(
    group_name="scoring",
    kinds={"torch", "scikitlearn"},
    owners=OWNERS,
    code_version="2",
    deps=["safety_annotations"],
    pool="gpu",
    check_specs=check_specs("safety_classifier", CLASSIFIER_CHECKS),
    metadata=column_schema("safety_classifier"),
    tags={"stage": "scoring"},
)
def safety_classifier(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """What turns texts and log-probabilities into scores: trained and calibrated on the annotations (SP 3.1)."""
    store, usage = lake.open(), Usage()
    versions = store.require_gates(
        [("safety_annotations", UNPARTITIONED)],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )
    answers = LakeAnswers(store, provenance(context))

    def epoch(loss: Any) -> None:
        context.log.info(f"epoch {loss.epoch}: loss {loss.training:.4f}, held out {loss.held_out:.4f}")

    fitted = fit_classifier(store, versions, models, answers, usage, provenance(context), say(context), epoch)
    facts: dict[str, Any] = {
        name: value for name, value in fitted.metrics.items() if isinstance(value, int | float)
    }
    page = write_page(sweep_html(fitted.report), safety_home() / "classifier" / "index.html")
    facts["sweep"] = dg.MetadataValue.md(sweep_markdown(fitted.report))
    facts["page"] = dg.MetadataValue.path(str(page))
    gates = classifier_gates(fitted.metrics)
    return materialised(context, store, fitted.version, gates, facts | usage_metadata(usage))


@dg.asset(
    partitions_def=SHARDS,
    group_name="scoring",
    kinds={"torch", "llm", "duckdb"},
    owners=OWNERS,
    code_version="2",
    deps=["fineweb", "safety_classifier"],
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    pool="gpu",
    check_specs=check_specs("scored_fineweb", SCORE_CHECKS),
    metadata=column_schema("scored_fineweb"),
    tags={"stage": "scoring"},
)
def scored_fineweb(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Every document with a safety score 0-5, the higher of two scorers', and the state of each (SP section 3.1)."""
    store, usage = lake.open(), Usage()
    versions = store.require_gates(
        [("fineweb", context.partition_key), ("safety_classifier", UNPARTITIONED)],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )
    scorer = open_scorer(store, models, LakeAnswers(store, provenance(context)), usage, say(context))
    version = score_shard(store, versions, scorer, provenance(context))
    outcomes, numbers = score_gates(store, version)
    return materialised(context, store, version, outcomes, numbers | usage_metadata(usage))
