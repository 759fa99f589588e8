"""The model half through Dagster, with seconds-long trainings: mixed, trained, tuned, finetuned, evaluated, compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from resources.lake import Lake
from safety_assets.evaluation.prompt_sets import load_prompt_set
from tests.dagster.test_asset_graph import PER_RECIPE, WARNINGS
from tests.support.instance import register, run_job
from tests.support.small_source import MARKER, texts_of_level, write_shard

# All of it is the fixture's time; on a busy machine that is minutes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHARD = "lockkeeper"
RECIPES = ("raw", "plus_harmfulness_tags", "safety_reflection")
CHECKPOINTS = ("checkpoint", "instruct_checkpoint", "benign_finetuned_checkpoint")


@dataclass(frozen=True)
class Trained:
    """What there is to see after the runs; ``again`` is a second run of the last recipe."""

    instance: dg.DagsterInstance
    lake: Lake
    runs: dict[str, dg.ExecuteInProcessResult]
    again: dg.ExecuteInProcessResult
    ablation: dg.ExecuteInProcessResult

    def metadata(self, recipe: str, asset: str) -> dict:
        """Metadata values of an asset in a recipe's run."""
        return metadata_of(self.runs[recipe], asset)


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict:
    [event] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == asset
    ]
    return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture(scope="module")
def trained(prepared_home) -> Iterator[Trained]:
    """One shard through the data half, then three recipes through the model half."""
    benign, mild, clear = (texts_of_level(level) for level in (0, 2, 4))
    write_shard(prepared_home.source / f"{SHARD}.parquet", [*benign[6:20], *mild[4:7], *clear[3:6]])
    with prepared_home.occupied() as project, prepared_home.instance() as instance:
        lake, _ = register(project, instance)
        assert run_job(project, instance, "data_half", SHARD).success
        runs = {recipe: run_job(project, instance, "model_half", recipe) for recipe in RECIPES}
        again = run_job(project, instance, "model_half", RECIPES[-1])
        yield Trained(instance, lake, runs, again, run_job(project, instance, "ablation"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_goes_through_every_stage(trained, recipe):
    assert trained.runs[recipe].success
    assert {version.partition for version in trained.lake.versions("safety_evaluation")} >= {recipe}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_blocking_check_passed(trained, recipe):
    evaluations = trained.runs[recipe].get_asset_check_evaluations()
    assert {evaluation.asset_key.to_user_string() for evaluation in evaluations} == set(PER_RECIPE)
    assert not [e.check_name for e in evaluations if not e.passed and e.check_name not in WARNINGS]


def test_recipes_have_equal_budgets(trained):
    tokens = {trained.metadata(recipe, "tokenized_mixture")["tokens"] for recipe in RECIPES}
    assert len(tokens) == 1


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("asset", CHECKPOINTS)
def test_a_checkpoint_serves_what_was_trained(trained, recipe, asset):
    facts = trained.metadata(recipe, asset)
    assert facts["export_difference"] < 1e-3
    assert facts["tokens_per_second"] > 0
    assert {path.name for path in Path(facts["hugging_face_folder"]).iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_checkpoint_names_what_it_was_made_from(trained, recipe):
    for parent, child in pairwise(CHECKPOINTS):
        assert (
            trained.metadata(recipe, child)["made_from"] == trained.metadata(recipe, parent)["weights_digest"]
        )


def decodings(lake: Lake, recipe: str) -> set[str]:
    with lake.read("safety_evaluation", partition=recipe) as reader:
        return {row["decoding"] for row in reader.read_all().to_pylist() if row["decoding"]}


def test_safe_beam_search_is_for_models_with_the_tag_alone(trained):
    assert decodings(trained.lake, "plus_harmfulness_tags") == {"greedy", "safe_beam"}
    assert decodings(trained.lake, "raw") == {"greedy"}


def test_all_three_stages_are_attacked_and_judged_twice(trained):
    with trained.lake.read("safety_evaluation", partition="raw") as reader:
        rows = [row for row in reader.read_all().to_pylist() if row["measure"] == "attack_success"]
    cells = {(row["stage"], row["attack"]) for row in rows}
    assert cells == {
        ("base", "none"),
        *((stage, attack) for stage in ("instruct", "finetuned") for attack in ("none", "prefill")),
    }
    assert {row["judge"] for row in rows} == {"refusal-prefix", "classifier"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows if row["value"] is not None)


def test_a_second_run_trains_nothing_and_asks_no_model(trained):
    assert trained.again.success
    for asset in CHECKPOINTS:
        before = trained.metadata(RECIPES[-1], asset)
        assert metadata_of(trained.again, asset)["weights_digest"] == before["weights_digest"]
        assert metadata_of(trained.again, asset)["tokens_per_second"] == before["tokens_per_second"]
    assert trained.metadata(RECIPES[-1], "safety_evaluation")["answers_asked_now"] > 0
    assert metadata_of(trained.again, "safety_evaluation")["answers_asked_now"] == 0


def test_the_ablation_table_has_every_recipe(trained):
    facts = metadata_of(trained.ablation, "ablation_table")
    assert facts["recipes"] == len(RECIPES)
    assert all(f"| {recipe} |" in facts["table"] for recipe in RECIPES)
    assert "<svg" in Path(facts["page"]).read_text(encoding="utf-8")


def test_a_mixture_has_its_report_card(trained):
    assert trained.metadata("raw", "report_card/tokenized_mixture")["documents"] > 0


def test_neither_documents_nor_prompts_nor_answers_reach_the_event_log(trained):
    with trained.lake.read("evaluation_answers") as reader:
        answers = {row["text"].strip() for row in reader.read_all().to_pylist()}
    prompts = [prompt.text for name in ("completions", "requests") for prompt in load_prompt_set(name)]
    private = [MARKER, *prompts, *(answer for answer in answers if len(answer) > 12)]
    for result in (*trained.runs.values(), trained.again, trained.ablation):
        logged = [dg.serialize_value(entry) for entry in trained.instance.all_logs(result.run_id)]
        assert logged
        assert not [text for text in private if any(text in entry for entry in logged)]
