"""What happens by itself: the sensor that finds shards, the nightly backfill, and what each job selects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pytest

from resources.lake import Lake
from resources.shard_source import ShardSourceError
from safety_assets.automation import NIGHTLY_SHARDS, new_shards, nightly_backfill
from safety_assets.corpus.registry import registered_shard
from safety_assets.definitions import ProjectDefinitions, project_definitions
from tests.support.instance import Home, new_home
from tests.support.small_source import texts_of_level, write_shard

SYNTHESIS = ["fineweb", "scored_fineweb", "safeweb", "refuseweb", "moral_education"]
PER_SHARD = [*SYNTHESIS, "tagged_corpus", "reflected_corpus"]
PER_RECIPE = [
    "tokenized_mixture",
    "report_card/tokenized_mixture",
    "checkpoint",
    "instruct_checkpoint",
    "benign_finetuned_checkpoint",
    "safety_evaluation",
]
# Where the ways of a shard's documents end.
ENDS = ("moral_education", "safeweb", "tagged_corpus", "reflected_corpus")
FIRST_NIGHT, SECOND_NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Deployment:
    home: Home
    project: ProjectDefinitions
    instance: dg.DagsterInstance
    lake: Lake

    def put(self, *names: str) -> None:
        """Put shards into the source."""
        for name in names:
            write_shard(self.home.source / f"{name}.parquet", texts_of_level(0)[:1])

    def tick(self) -> list[str] | str:
        """Evaluate the sensor and do what it asks for: the new partition keys, or why it skipped."""
        context = dg.build_sensor_context(instance=self.instance, sensor_name="new_shards")
        # As in a code server, where each tick gets resources of its own.
        source = self.project.source.model_copy()
        result = new_shards(context, lake=self.project.lake, source=source)
        if isinstance(result, dg.SkipReason):
            return result.skip_message
        assert not result.run_requests
        [request] = result.dynamic_partitions_requests
        self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return list(request.partition_keys)


@pytest.fixture
def deployment(tmp_path) -> Iterator[Deployment]:
    home = new_home(tmp_path / "home")
    with home.occupied() as project, dg.DagsterInstance.ephemeral() as instance:
        lake = project.lake.open()
        yield Deployment(home, project, instance, lake)
        lake.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    # Schedules refuse an ephemeral one.
    with dg.instance_for_test() as made:
        yield made


def nightly(instance: dg.DagsterInstance, night: datetime) -> list[dg.RunRequest | dg.SkipReason]:
    return list(
        nightly_backfill(dg.build_schedule_context(instance=instance, scheduled_execution_time=night))
    )


def done(instance: dg.DagsterInstance, *keys: str, assets: Sequence[str] = ENDS) -> None:
    for asset in assets:
        for key in keys:
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key))


# -- the sensor ----------------------------------------------------------------------------------------------


def test_new_files_become_partitions_that_can_be_read(deployment):
    deployment.put("a", "b")
    assert deployment.tick() == ["a", "b"]
    assert deployment.instance.get_dynamic_partitions("shard") == ["a", "b"]
    assert registered_shard(deployment.lake, "a").source == str(deployment.home.source)


def test_a_later_file_is_found_alone(deployment):
    deployment.put("a")
    deployment.tick()
    deployment.put("b")
    assert deployment.tick() == ["b"]


def test_the_sensor_skips_when_there_is_nothing_new(deployment):
    deployment.put("a")
    deployment.tick()
    assert deployment.tick() == "No new shard among 1 in the source."


def test_looking_again_does_not_write_to_the_lake(deployment):
    deployment.put("a", "b")
    deployment.tick()
    before = deployment.lake.versions("shards")
    deployment.tick()
    assert deployment.lake.versions("shards") == before


def test_a_key_that_was_deleted_by_hand_comes_back(deployment):
    deployment.put("a")
    deployment.tick()
    deployment.instance.delete_dynamic_partition("shard", "a")
    assert deployment.tick() == ["a"]


def test_an_empty_source_is_an_error_that_says_so(deployment):
    with pytest.raises(ShardSourceError, match="holds no shard"):
        deployment.tick()


# -- the nightly backfill ------------------------------------------------------------------------------------


def test_a_night_asks_for_missing_shards_only(instance):
    instance.add_dynamic_partitions("shard", ["a", "b", "c"])
    done(instance, "b")
    assert [request.partition_key for request in nightly(instance, FIRST_NIGHT)] == ["a", "c"]


@pytest.mark.parametrize("missing", ENDS)
def test_a_shard_that_did_not_reach_every_end_is_asked_for_again(instance, missing):
    instance.add_dynamic_partitions("shard", ["a"])
    done(instance, "a", assets=[asset for asset in PER_SHARD if asset != missing])
    assert [request.partition_key for request in nightly(instance, FIRST_NIGHT)] == ["a"]


def test_a_night_asks_for_no_more_than_its_limit(instance):
    keys = [f"shard-{number:03}" for number in range(NIGHTLY_SHARDS + 5)]
    instance.add_dynamic_partitions("shard", keys)
    first = [request.partition_key for request in nightly(instance, FIRST_NIGHT)]
    assert first == keys[:NIGHTLY_SHARDS]
    done(instance, *first)
    assert [request.partition_key for request in nightly(instance, SECOND_NIGHT)] == keys[NIGHTLY_SHARDS:]


def test_a_run_is_asked_for_once_a_night_and_again_the_next(instance):
    instance.add_dynamic_partitions("shard", ["a", "b"])
    nights = [nightly(instance, night) for night in (FIRST_NIGHT, FIRST_NIGHT, SECOND_NIGHT)]
    first, same, second = ([request.run_key for request in night] for night in nights)
    assert first == same
    assert len({*first, *second}) == 4


@pytest.mark.parametrize("keys", [[], ["a", "b"]])
def test_a_night_without_missing_shards_says_so(instance, keys):
    instance.add_dynamic_partitions("shard", keys)
    done(instance, *keys)
    assert [skip.skip_message for skip in nightly(instance, FIRST_NIGHT)] == [
        f"All {len(keys)} registered shards are done."
    ]


# -- jobs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "assets", "partitioned"),
    [
        ("prepare_scoring", ["safety_annotations", "safety_classifier"], False),
        ("data_half", PER_SHARD, True),
        ("model_half", PER_RECIPE, True),
        ("ablation", ["ablation_table"], False),
        *((f"{asset}_only", [asset], True) for asset in PER_SHARD),
        (
            "report_cards",
            [f"report_card/{dataset}" for dataset in ["safety_annotations", *SYNTHESIS]],
            False,
        ),
    ],
)
def test_a_job_selects_its_assets_and_their_checks(job, assets, partitioned):
    repository = project_definitions("embedded").definitions.get_repository_def()
    found = repository.get_job(job)
    selected = set(found.asset_layer.executable_asset_keys)
    assert {key.to_user_string() for key in selected} == set(assets)
    assert (found.partitions_def is not None) == partitioned
    graph = repository.asset_graph
    assert set(found.asset_layer.asset_graph.asset_check_keys) == {
        check for key in selected for check in graph.get(key).check_keys
    }
