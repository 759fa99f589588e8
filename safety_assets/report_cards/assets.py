"""The report-card stage in Dagster: one card asset beside each data set."""

import hashlib
from pathlib import Path

import dagster as dg
import pyarrow as pa
from pydantic import Field

from resources.lake import Lake
from resources.lake_resource import LakeResource
from resources.profile import safety_home
from safety_assets.partitions import RECIPES
from safety_assets.report_cards.card import ReportCard, to_json
from safety_assets.report_cards.compile import CARDS, CardPlan, compile_card, mixture_plan
from safety_assets.report_cards.ngrams import load_queries
from safety_assets.report_cards.render import summary_markdown, write_card, write_index
from safety_assets.shell import OWNERS, column_schema, provenance

__all__ = ["report_card_assets"]

GROUPS = {
    "fineweb": "corpus",
    "safety_annotations": "annotation",
    "scored_fineweb": "scoring",
    "safeweb": "synthesis",
    "refuseweb": "synthesis",
    "moral_education": "synthesis",
}
CODE_VERSION = "1"


class CardConfig(dg.Config):
    """Run config of a report card."""

    queries_folder: str | None = Field(
        default=None, description="Folder of <category>.txt n-gram lists; the packaged lists if not set."
    )


def cards_folder() -> Path:
    """Where cards are written as files."""
    return safety_home() / "report_cards"


def _card_asset(plan: CardPlan) -> dg.AssetsDefinition:
    @dg.asset(
        key=["report_card", plan.dataset],
        deps=[plan.dataset, *(["score_audit"] if plan.audit else [])],
        group_name=GROUPS[plan.dataset],
        kinds={"report", "duckdb"},
        owners=OWNERS,
        code_version=CODE_VERSION,
        description=f"Data Safety Report Card of {plan.dataset} (SP section 3.5): {plan.description}",
        metadata=column_schema("report_cards"),
        tags={"stage": "report_cards"},
    )
    def report_card(
        context: dg.AssetExecutionContext, config: CardConfig, lake: LakeResource
    ) -> dg.MaterializeResult:
        return _made(context, config, lake.open(), plan)

    return report_card


@dg.asset(
    key=["report_card", "tokenized_mixture"],
    deps=["tokenized_mixture"],
    partitions_def=RECIPES,
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    group_name="mixtures",
    kinds={"report", "duckdb"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    metadata=column_schema("report_cards"),
    tags={"stage": "report_cards"},
)
def mixture_card(
    context: dg.AssetExecutionContext, config: CardConfig, lake: LakeResource
) -> dg.MaterializeResult:
    """Data Safety Report Card of a recipe's mixture, by slice (SP section 3.5)."""
    return _made(context, config, lake.open(), mixture_plan(context.partition_key))


def _made(
    context: dg.AssetExecutionContext, config: CardConfig, lake: Lake, plan: CardPlan
) -> dg.MaterializeResult:
    folder = Path(config.queries_folder) if config.queries_folder else None
    card = compile_card(plan, lake, load_queries(folder))
    paths = write_card(card, cards_folder())
    write_index(cards_folder())
    digest = _keep(context, lake, card)
    return dg.MaterializeResult(data_version=dg.DataVersion(digest), metadata=_metadata(card, paths))


def _keep(context: dg.AssetExecutionContext, lake: Lake, card: ReportCard) -> str:
    """Add the card to the lake; its data version is the digest of the sorted versions that it was made from."""
    digest = hashlib.sha256("".join(table.digest for table in card.inputs).encode()).hexdigest()[:16]
    row = {
        "shard": card.dataset,
        "dataset": card.dataset,
        "input_digest": digest,
        "card": to_json(card),
        "run_id": context.run_id,
    }
    schema = lake.schema("report_cards")
    lake.append("report_cards", pa.RecordBatch.from_pylist([row], schema=schema), provenance(context))
    return digest


def _metadata(card: ReportCard, paths: dict[str, Path]) -> dict:
    """Stable names, so that the UI plots each number's history."""
    numbers: dict[str, float | int] = {"documents": card.documents, "tokens": card.tokens}
    for level, (count, share) in enumerate(zip(card.scores.counts, card.scores.shares, strict=True)):
        numbers[f"score_{level}"] = count
        if share is not None:
            numbers[f"score_{level}_share"] = share.value
    for rate in card.ngrams:
        if rate.rate is not None:
            numbers[f"ngrams_per_1m_{rate.category}"] = rate.rate.value
    if card.precision is not None and card.precision.share is not None:
        numbers["confirmation_precision"] = card.precision.share.value
    for level in card.audit.levels if card.audit else ():
        if level.precision is not None:
            numbers[f"audited_precision_ge{level.level}"] = level.precision.value
        if level.recall is not None:
            numbers[f"audited_recall_ge{level.level}"] = level.recall.value
    return {
        "card": dg.MetadataValue.md(summary_markdown(card)),
        "html": dg.MetadataValue.path(str(paths["html"])),
        "gates_failed": sum(gate.failed for gate in card.gates),
        "overrides": len(card.overrides),
        **numbers,
    }


report_card_assets: list[dg.AssetsDefinition] = [_card_asset(plan) for plan in CARDS]
