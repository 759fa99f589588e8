"""The benchmark in Dagster: ``classifier_benchmark``."""

import json
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.lake import Lake
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from resources.profile import safety_home
from safety_assets.batches import record_batches
from safety_assets.benchmark.attacks import ATTACKS
from safety_assets.benchmark.checks import CHECKS, WARNINGS, benchmark_gates
from safety_assets.benchmark.compare import Comparison, benchmark_row, compare
from safety_assets.benchmark.openers import DEFAULT_SCORERS, SCORERS, Opener
from safety_assets.benchmark.page import benchmark_html
from safety_assets.benchmark.plan import labelled_texts
from safety_assets.benchmark.report import benchmark_markdown, benchmark_numbers
from safety_assets.pages import write_page
from safety_assets.scoring.examples import learned_texts
from safety_assets.shell import (
    OWNERS,
    UNPARTITIONED,
    GateOverride,
    check_specs,
    column_schema,
    materialised,
    provenance,
)


class BenchmarkConfig(GateOverride):
    """Run config of ``classifier_benchmark``."""

    files: list[str] = Field(
        default=[], description="JSON Lines or Parquet with text and a label; none takes the packaged texts."
    )
    labels: str | None = Field(
        default=None, description="Rules for sources without a score, as benchmark/labels.yaml."
    )
    scorers: list[str] = Field(
        default=list(DEFAULT_SCORERS),
        description=f"Of {', '.join(SCORERS)}.",
    )
    models: dict[str, str] = Field(
        default={}, description="Folder, or Hub id@revision, for llama-guard, qwen3guard and detoxify."
    )
    words: str | None = Field(default=None, description="A word list of one's own.")
    device: str = Field(default="cpu", description="Where the models of others run.")
    folds: int = Field(default=5, ge=2, description="Folds; operating points come from all others.")
    max_texts: int | None = Field(default=2_000, gt=0, description="Texts of a file at most.")
    attacked_texts: int = Field(
        default=12,
        ge=0,
        description="Harmful, and as many safe, texts that each of some 35 attacks is tried on.",
    )


@dg.asset(
    group_name="scoring",
    kinds={"report", "torch", "duckdb"},
    owners=OWNERS,
    code_version="1",
    deps=["safety_classifier", "safety_annotations"],
    pool="gpu",
    check_specs=check_specs("classifier_benchmark", CHECKS)
    + check_specs("classifier_benchmark", WARNINGS, blocking=False),
    metadata=column_schema("classifier_benchmark"),
    tags={"stage": "benchmark"},
)
def classifier_benchmark(
    context: dg.AssetExecutionContext, config: BenchmarkConfig, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Scorers compared on the same labelled texts: recall, precision, false alarms, under attack, speed and memory."""
    store, files = lake.open(), [Path(file) for file in config.files]
    store.require_gates(
        [("safety_classifier", UNPARTITIONED)],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )
    annotated = {row["text_hash"] for row in store.rows("benchmark_annotated")} | learned_texts(store)
    rules = Path(config.labels) if config.labels else None
    texts = labelled_texts(files, rules=rules, most=config.max_texts, annotated=annotated)
    comparison = compare(
        texts,
        _openers(config, store, models.profile_name),
        folds=config.folds,
        attacks=ATTACKS if config.attacked_texts else None,
        attacked_texts=config.attacked_texts,
        say=context.log.info,
    )
    rows = (benchmark_row(row, comparison, UNPARTITIONED) for row in comparison.rows)
    schema = store.schema("classifier_benchmark")
    batches = record_batches(rows, schema)
    version = store.replace_partition("classifier_benchmark", batches, provenance(context))
    return materialised(context, store, version, benchmark_gates(comparison), _facts(comparison))


def _openers(config: BenchmarkConfig, lake: Lake, profile: str) -> list[Opener]:
    """The lake's newest classifier, as it scores shards."""
    row = lake.rows("newest_classifier")[0]
    thresholds = {int(level): value for level, value in json.loads(row["llm_thresholds"]).items()}
    return [
        Opener(
            scorer,
            profile=profile,
            head=bytes(row["head"]),
            encoder=(row["encoder"], row["encoder_revision"]),
            llm_thresholds=thresholds,
            combination=json.loads(row["combination"]),
            words=Path(config.words) if config.words else None,
            models=config.models,
            device=config.device,
        )
        for scorer in dict.fromkeys(config.scorers)
    ]


def _facts(comparison: Comparison) -> dict:
    page = write_page(benchmark_html(comparison), safety_home() / "benchmark" / "index.html")
    return {
        "table": dg.MetadataValue.md(benchmark_markdown(comparison)),
        "page": dg.MetadataValue.path(str(page)),
        "texts_digest": comparison.digest,
        **benchmark_numbers(comparison),
    }
