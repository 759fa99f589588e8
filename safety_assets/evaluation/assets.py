"""The evaluation stage in Dagster: ``safety_evaluation`` for each recipe, and ``ablation_table`` over all of them."""

import hashlib
from collections.abc import Mapping, Sequence

import dagster as dg
from pydantic import Field

from resources.lake import Lake, PartitionVersion
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource, models_cache
from resources.profile import EvaluationProfile, safety_home
from safety_assets.answers import LakeAnswers
from safety_assets.batches import record_batches
from safety_assets.evaluation.ablation import AblationRow, ablation_row, by_judge
from safety_assets.evaluation.ablation_page import ablation_html
from safety_assets.evaluation.checks import CHECKS, WARNINGS, evaluation_gates
from safety_assets.evaluation.judges import judgement_row
from safety_assets.evaluation.lake_answers import LakeEvaluationAnswers
from safety_assets.evaluation.measures import evaluation_row
from safety_assets.evaluation.plan import Stage
from safety_assets.evaluation.summary import ablation_markdown, evaluation_rows_of
from safety_assets.generation import Usage
from safety_assets.mixtures.mix import mixture_tokenizer
from safety_assets.pages import write_page
from safety_assets.partitions import RECIPES
from safety_assets.shell import (
    OWNERS,
    UNPARTITIONED,
    GateOverride,
    check_specs,
    column_schema,
    gated,
    materialised,
    provenance,
    usage_metadata,
)

STAGES = {
    Stage.BASE: "checkpoint",
    Stage.INSTRUCT: "instruct_checkpoint",
    Stage.FINETUNED: "benign_finetuned_checkpoint",
}
ABLATION_CHECKS = {"recipes": "At least one recipe was evaluated, each by the same version of the judge."}


class EvaluationConfig(GateOverride):
    """Run config of an evaluation: other judges may look at answers that are kept."""

    judges: list[str] | None = Field(
        default=None, description="refusal_prefix, classifier, llm; the profile's if not set."
    )


@dg.asset(
    partitions_def=RECIPES,
    group_name="evaluation",
    kinds={"torch", "llm", "duckdb"},
    owners=OWNERS,
    code_version="1",
    deps=[*STAGES.values(), "tokenized_mixture", "safety_classifier"],
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    pool="gpu",
    check_specs=check_specs("safety_evaluation", CHECKS)
    + check_specs("safety_evaluation", WARNINGS, blocking=False),
    metadata=column_schema("safety_evaluation"),
    tags={"stage": "evaluation"},
)
def safety_evaluation(
    context: dg.AssetExecutionContext, config: EvaluationConfig, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Attack success, over-refusal, prompt overlap and general ability of a recipe's three models (SP section 6)."""
    from safety_assets.evaluation.examine import Examination, slice_texts
    from safety_assets.training.stages import read_checkpoint

    store, profile, usage = lake.open(), models.profile(), Usage()
    versions = gated(context, store, config, *STAGES.values(), "tokenized_mixture")
    checkpoints = {stage: read_checkpoint(store, versions[table]) for stage, table in STAGES.items()}
    tokenizer = mixture_tokenizer(profile.mixture, models_cache())
    judges = _judges(config.judges or profile.evaluation.judges, context, store, models, usage)
    answers = LakeEvaluationAnswers(store, provenance(context))
    examination = Examination(
        context.partition_key, checkpoints, profile.evaluation, tokenizer, answers, judges, context.log.info
    )
    mixture = versions["tokenized_mixture"]
    held_out = profile.mixture.validation_windows * profile.mixture.context
    examined = examination.run(slice_texts(store, mixture, tokenizer), held_out)
    version = _keep(context, store, examined)
    outcomes, numbers = evaluation_gates(examined)
    return materialised(context, store, version, outcomes, numbers | usage_metadata(usage))


@dg.asset(
    group_name="evaluation",
    kinds={"report", "duckdb"},
    owners=OWNERS,
    code_version="1",
    deps=[dg.AssetDep("safety_evaluation", partition_mapping=dg.AllPartitionMapping())],
    check_specs=check_specs("ablation_table", ABLATION_CHECKS),
    metadata=column_schema("ablation_table"),
    tags={"stage": "evaluation"},
)
def ablation_table(
    context: dg.AssetExecutionContext, config: GateOverride, lake: LakeResource, models: ModelsResource
) -> dg.MaterializeResult:
    """Recipes side by side, as in figures 2 and 4 of SP: attack success at each stage, over-refusal, ability."""
    store, profile = lake.open(), models.profile().evaluation
    found = {version.partition: version for version in store.versions("safety_evaluation")}
    recipes = [recipe for recipe in RECIPES.get_partition_keys() if recipe in found]
    store.require_gates(
        [("safety_evaluation", recipe) for recipe in recipes],
        provenance=provenance(context),
        override_reason=config.override_gates_because,
    )
    tables = by_judge(evaluation_rows_of(store, recipes), recipes, profile.deciding_judge, profile.decoding)
    schema = store.schema("ablation_table")
    written = (ablation_row(row, UNPARTITIONED) for rows in tables.values() for row in rows)
    version = store.replace_partition("ablation_table", record_batches(written, schema), provenance(context))
    facts = {
        "recipes": len(recipes),
        "inputs_digest": _digest([found[recipe] for recipe in recipes]),
        **_pages(tables, recipes, profile),
    }
    return materialised(context, store, version, _ablation_gates(recipes), facts)


def _pages(
    tables: Mapping[str, Sequence[AblationRow]], recipes: Sequence[str], profile: EvaluationProfile
) -> dict:
    """A page and a table for each judge; the deciding judge's are the first."""
    facts = {}
    for number, (judge, rows) in enumerate(tables.items()):
        html = ablation_html(rows, recipes, ordinary=profile.decoding)
        path = safety_home() / "ablation" / ("index.html" if number == 0 else f"{judge}.html")
        name = "" if number == 0 else "_" + judge.replace("-", "_")
        facts[f"table{name}"] = dg.MetadataValue.md(ablation_markdown(rows, recipes))
        facts[f"page{name}"] = dg.MetadataValue.path(str(write_page(html, path)))
    return facts


def _judges(
    names: Sequence[str],
    context: dg.AssetExecutionContext,
    lake: Lake,
    models: ModelsResource,
    usage: Usage,
) -> list:
    from safety_assets.evaluation.choose import open_judges

    return open_judges(names, lake, models, LakeAnswers(lake, provenance(context)), usage)


def _keep(context: dg.AssetExecutionContext, lake: Lake, examined) -> PartitionVersion:
    recipe = context.partition_key
    rows = map(evaluation_row, examined.rows)
    judgements = (judgement_row(recipe, judgement) for judgement in examined.judgements)
    written = lake.replace_partitions(
        {
            "safety_evaluation": record_batches(rows, lake.schema("safety_evaluation")),
            "evaluation_judgements": record_batches(judgements, lake.schema("evaluation_judgements")),
        },
        provenance(context),
    )
    return written["safety_evaluation"]


def _ablation_gates(recipes: Sequence[str]) -> list:
    from resources.lake import GateOutcome

    return [GateOutcome("recipes", bool(recipes), True, {"recipes": len(recipes)})]


def _digest(versions: Sequence[PartitionVersion]) -> str:
    read = repr([(version.partition, version.snapshot_id) for version in versions])
    return hashlib.sha256(read.encode()).hexdigest()[:16]
