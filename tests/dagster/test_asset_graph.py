"""The asset graph as data: lineage and what assets promise cannot change unseen.

After a change that is meant, run this file with ``UPDATE_SNAPSHOTS=1`` in the environment, and read the diff.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from safety_assets.definitions import project_definitions
from safety_assets.partitions import RECIPES, SHARDS

SNAPSHOT = Path(__file__).parent / "asset_graph.json"
DEFINITIONS = project_definitions("embedded").definitions
REPOSITORY = DEFINITIONS.get_repository_def()
GRAPH = REPOSITORY.asset_graph
PER_SHARD = (
    "fineweb",
    "scored_fineweb",
    "safeweb",
    "refuseweb",
    "moral_education",
    "tagged_corpus",
    "reflected_corpus",
)
PER_RECIPE = (
    "tokenized_mixture",
    "checkpoint",
    "instruct_checkpoint",
    "benign_finetuned_checkpoint",
    "safety_evaluation",
)
WITHOUT_CARD = {
    "safety_classifier",
    "tagged_corpus",
    "reflected_corpus",
    *PER_RECIPE[1:],
    "ablation_table",
    "score_audit",
    "classifier_benchmark",
}
WARNINGS = {
    "plan_met",
    "no_overlap",
    "audited",
    "enough_judged",
    "most_scored",
    "embedding_beats_chance",
}
NODES = {node.key.to_user_string(): node for node in GRAPH.asset_nodes}


def described(node: Any) -> dict[str, Any]:
    """What the snapshot holds of an asset."""
    return {
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "owners": sorted(node.owners),
        "kinds": sorted(node.kinds),
        "stage": node.tags.get("stage"),
        "pools": sorted(node.pools or ()),
        "code_version": node.code_version,
        "partitions": getattr(node.partitions_def, "name", None),
        "partitions_per_run": getattr(node.backfill_policy, "max_partitions_per_run", None),
        "checks": sorted(key.name for key in node.check_keys),
        "blocking": all(GRAPH.get_check_spec(key).blocking for key in node.check_keys),
        "has_description": bool(node.description),
        "has_column_schema": bool(columns(node)),
    }


def columns(node: Any) -> list[dg.TableColumn]:
    schema = node.metadata.get("dagster/column_schema")
    return list(schema.schema.columns if hasattr(schema, "schema") else schema.columns) if schema else []


def models_used_by(node: Any) -> bool:
    return "models" in node.assets_def.required_resource_keys


def test_the_asset_graph_is_the_one_that_was_agreed_on():
    found = json.dumps({key: described(node) for key, node in sorted(NODES.items())}, indent=2) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(found, encoding="utf-8")
    agreed = SNAPSHOT.read_text(encoding="utf-8")
    diff = difflib.unified_diff(agreed.splitlines(), found.splitlines(), "agreed", "found", lineterm="", n=8)
    assert found == agreed, (
        "The asset graph changed. If that is meant, set UPDATE_SNAPSHOTS=1 and run this test again.\n"
        + "\n".join(diff)
    )


@pytest.mark.parametrize("key", sorted(NODES))
def test_an_asset_says_what_it_is_and_whose(key):
    node = NODES[key]
    assert node.group_name != "default"
    assert node.kinds
    assert node.owners
    assert node.code_version
    assert node.description and node.description.strip().endswith(".")


@pytest.mark.parametrize("key", sorted(NODES))
def test_an_asset_names_the_columns_of_its_table(key):
    found = columns(NODES[key])
    assert found and found[0].name == "shard"
    assert all(column.name and column.type for column in found)


# These read the profile's settings from the same resource, and run no model.
NO_MODEL = {"tokenized_mixture", "ablation_table"}


@pytest.mark.parametrize("key", sorted(key for key, node in NODES.items() if models_used_by(node)))
def test_an_asset_that_uses_models_waits_for_the_gpu(key):
    assert NODES[key].pools == (set() if key in NO_MODEL else {"gpu"})


def test_all_but_the_corpus_and_the_cards_may_ask_models():
    using = {key for key, node in NODES.items() if models_used_by(node)}
    # An oracle may label annotations; the corpus and the cards ask no model.
    assert using == {
        "safety_annotations",
        "safety_classifier",
        "score_audit",
        "classifier_benchmark",
        "ablation_table",
        *PER_SHARD[1:],
        *PER_RECIPE,
    }


@pytest.mark.parametrize("key", sorted(key for key, node in NODES.items() if node.partitions_def))
def test_a_run_of_a_partitioned_asset_has_one_partition(key):
    # A check of a run over several partitions would not know which of them it is about.
    per_recipe = key in PER_RECIPE or key == "report_card/tokenized_mixture"
    assert NODES[key].partitions_def == (RECIPES if per_recipe else SHARDS)
    assert NODES[key].backfill_policy == dg.BackfillPolicy.multi_run(1)


def test_recipes_are_the_ladder_in_its_order():
    assert list(RECIPES.get_partition_keys()) == [
        "raw",
        "score0_only",
        "plus_rephrase",
        "plus_refusal",
        "plus_moral_education",
        "plus_harmfulness_tags",
        "safety_reflection",
    ]


@pytest.mark.parametrize("key", sorted(key for key, node in NODES.items() if node.check_keys))
def test_every_check_blocks_or_is_known_to_warn_and_says_what_it_holds(key):
    for check in NODES[key].check_keys:
        spec = GRAPH.get_check_spec(check)
        assert spec.blocking or check.name in WARNINGS
        assert spec.description and spec.description.endswith(".")


def test_every_data_set_has_a_report_card_and_gates():
    cards = {key.removeprefix("report_card/") for key in NODES if key.startswith("report_card/")}
    datasets = {key for key in NODES if not key.startswith("report_card/")}
    # Models and evaluations have no text to count; marks are counted in the mixtures that use them.
    assert cards == datasets - WITHOUT_CARD
    assert all(NODES[key].check_keys for key in datasets)


def test_the_graph_has_no_asset_that_nothing_makes():
    assert not [key for key, node in NODES.items() if not node.is_executable]


def test_jobs_schedules_and_sensors_are_there_and_wait_to_be_started():
    jobs = {job.name for job in REPOSITORY.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {
        "prepare_scoring",
        "refine_classifier",
        "train_classifier",
        "data_half",
        "scores",
        "audit",
        "synthesis",
        "compare_scorers",
        "model_half",
        "ablation",
        "report_cards",
        "fineweb_only",
        "scored_fineweb_only",
        "safeweb_only",
        "refuseweb_only",
        "moral_education_only",
        "tagged_corpus_only",
        "reflected_corpus_only",
    }
    assert [(schedule.name, schedule.default_status) for schedule in REPOSITORY.schedule_defs] == [
        ("nightly_backfill", dg.DefaultScheduleStatus.STOPPED)
    ]
    assert [(sensor.name, sensor.default_status) for sensor in REPOSITORY.sensor_defs] == [
        ("new_shards", dg.DefaultSensorStatus.STOPPED)
    ]


def test_definitions_can_be_loaded_by_dagsters_tools():
    dg.Definitions.validate_loadable(DEFINITIONS)
