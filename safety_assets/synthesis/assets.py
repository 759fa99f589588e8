"""The synthesis stage in Dagster: SafeWeb, RefuseWeb and Moral Education, one shard at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from resources.lake import GateOutcome, Lake, PartitionVersion
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from safety_assets.answers import LakeAnswers
from safety_assets.batches import record_batches
from safety_assets.generation import Usage
from safety_assets.partitions import SHARDS
from safety_assets.scoring.scorer import DocumentScorer, open_scorer
from safety_assets.shell import (
    OWNERS,
    UNPARTITIONED,
    GateOverride,
    check_specs,
    column_schema,
    gated,
    materialised,
    provenance,
    say,
    usage_metadata,
)
from safety_assets.synthesis.checks import (
    AUDIT_WARNINGS,
    CHECKS,
    audit_warning,
    scores_audited,
    synthesis_gates,
)
from safety_assets.synthesis.moralise import moralise
from safety_assets.synthesis.recontextualise import recontextualise
from safety_assets.synthesis.records import Synthesiser
from safety_assets.synthesis.refuse import refuse
from safety_assets.synthesis.rows import (
    article_row,
    dialogue_row,
    dialogues_to_moralise,
    documents_to_refuse,
    documents_to_rephrase,
    retelling_row,
    synthesis_settings,
)

SHARED: dict[str, Any] = {
    "partitions_def": SHARDS,
    "group_name": "synthesis",
    "owners": OWNERS,
    "kinds": {"llm", "parquet", "duckdb"},
    "backfill_policy": dg.BackfillPolicy.multi_run(1),
    "pool": "gpu",
    "tags": {"stage": "synthesis"},
}
CODE_VERSION = "1"


@dg.asset(
    **SHARED,
    code_version=CODE_VERSION,
    deps=["fineweb", "scored_fineweb", "safety_classifier"],
    check_specs=check_specs("safeweb", CHECKS),
    metadata=column_schema("safeweb"),
)
def safeweb(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Documents scored 1-3, retold as safe, educational text in one of twelve styles (SP section 3.2)."""
    store, shard = lake.open(), context.partition_key
    versions = gated(context, store, config, "fineweb", "scored_fineweb")
    work, _ = _synthesiser(context, store, models)
    retellings = recontextualise(documents_to_rephrase(store, versions, shard), work)
    rows = (retelling_row(shard, told, work.model, _tokens(work, told.text)) for told in retellings)
    return _written(context, store, rows, "safeweb", work.usage)


@dg.asset(
    **SHARED,
    code_version=CODE_VERSION,
    deps=["fineweb", "scored_fineweb", "safety_classifier", "score_audit"],
    check_specs=check_specs("refuseweb", CHECKS) + check_specs("refuseweb", AUDIT_WARNINGS, blocking=False),
    metadata=column_schema("refuseweb"),
)
def refuseweb(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Documents scored 4-5 that a second judgement confirms, as dialogues that refuse the harm (SP section 3.3)."""
    store, shard = lake.open(), context.partition_key
    versions = gated(context, store, config, "fineweb", "scored_fineweb")
    audited = _audited(context, store, config, versions["scored_fineweb"])
    work, scorer = _synthesiser(context, store, models)
    judged = scorer.confirm(documents_to_refuse(store, versions, shard))
    rows = (
        dialogue_row(
            shard, dialogue, work.model, _tokens(work, *(turn.content for turn in dialogue.turns or ()))
        )
        for dialogue in refuse(judged, work)
    )
    return _written(context, store, rows, "refuseweb", work.usage, [audit_warning(audited)])


@dg.asset(
    **SHARED,
    code_version=CODE_VERSION,
    deps=["refuseweb", "safety_classifier", "score_audit"],
    check_specs=check_specs("moral_education", CHECKS),
    metadata=column_schema("moral_education"),
)
def moral_education(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Each RefuseWeb dialogue as a web-style article on the principle behind the refusal (SP section 3.4)."""
    store, shard = lake.open(), context.partition_key
    versions = gated(context, store, config, "refuseweb")
    # Dialogues may be older than the audit.
    scores = store.version("scored_fineweb", shard)
    if scores is not None:
        _audited(context, store, config, scores)
    work, _ = _synthesiser(context, store, models)
    articles = moralise(dialogues_to_moralise(store, versions, shard), work)
    rows = (article_row(shard, article, work.model, _tokens(work, article.text)) for article in articles)
    return _written(context, store, rows, "moral_education", work.usage)


def _audited(
    context: dg.AssetExecutionContext, lake: Lake, config: GateOverride, scores: PartitionVersion
) -> bool:
    """Whether these scores were audited. Where levels 4-5 were found too often wrong, the audit's gate stops the run here,
    or is overridden with a reason."""
    audited = scores_audited(lake, scores)
    if audited:
        lake.require_gates(
            [("score_audit", UNPARTITIONED)],
            provenance=provenance(context),
            override_reason=config.override_gates_because,
        )
    return audited


def _synthesiser(
    context: dg.AssetExecutionContext, lake: Lake, models: ModelsResource
) -> tuple[Synthesiser, DocumentScorer]:
    answers, usage = LakeAnswers(lake, provenance(context)), Usage()
    scorer = open_scorer(lake, models, answers, usage, say(context))
    work = Synthesiser(
        model=models.language_model(),
        store=answers,
        rescorer=scorer,
        settings=synthesis_settings(models.profile().generation),
        usage=usage,
        progress=say(context),
    )
    return work, scorer


def _tokens(work: Synthesiser, *texts: str | None) -> int | None:
    written = [text for text in texts if text]
    return sum(work.model.count_tokens(written)) if written else None


def _written(
    context: dg.AssetExecutionContext,
    lake: Lake,
    rows: Iterable[dict],
    table: str,
    usage: Usage,
    more: Sequence[GateOutcome] = (),
) -> dg.MaterializeResult:
    batches: Iterator = record_batches(rows, lake.schema(table))
    version = lake.replace_partition(table, batches, provenance(context))
    outcomes, numbers = synthesis_gates(lake, version)
    return materialised(context, lake, version, [*outcomes, *more], numbers | usage_metadata(usage))
