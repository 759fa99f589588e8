"""A real backfill of two good shards and a broken one, through the web server, with the real small models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from resources.lake import Lake
from safety_assets.definitions import project_definitions
from tests.support.instance import Home, register, run_job, webserver
from tests.support.small_source import MARKER, texts_of_level, write_shard, write_truncated_shard

# About a minute on an idle machine; the models' work is many times slower on a busy one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GOOD, BROKEN = ("ostermere", "quayside"), "torn"
SYNTHESIS = ("fineweb", "scored_fineweb", "safeweb", "refuseweb", "moral_education")
TABLES = (*SYNTHESIS, "tagged_corpus", "reflected_corpus")
GRAPH = project_definitions("embedded").definitions.get_repository_def().asset_graph
LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""


@dataclass(frozen=True)
class Backfilled:
    """What there is to see after the backfill. ``runs`` has the run of each partition."""

    home: Home
    instance: dg.DagsterInstance
    lake: Lake
    status: BulkActionStatus
    runs: dict[str, dg.DagsterRun]
    again: dg.ExecuteInProcessResult

    def materialisation(self, table: str, shard: str) -> dg.AssetMaterialization:
        """What the backfill's run of a shard said of a table."""
        [event] = [
            entry.asset_materialization
            for entry in self.instance.all_logs(
                self.runs[shard].run_id, dg.DagsterEventType.ASSET_MATERIALIZATION
            )
            if entry.asset_materialization.asset_key == dg.AssetKey(table)
        ]
        return event


@pytest.fixture(scope="module")
def backfilled(prepared_home) -> Iterator[Backfilled]:
    """Backfills all three shards by job, then runs one of them once more."""
    benign, mild, clear = (texts_of_level(level) for level in (0, 2, 4))
    # The shortest unsafe texts are one line, too little for a scorer of few annotations.
    write_shard(prepared_home.source / f"{GOOD[0]}.parquet", [*benign[:3], mild[2], clear[2]])
    write_shard(prepared_home.source / f"{GOOD[1]}.parquet", [*benign[3:6], mild[3], "  "])
    write_truncated_shard(prepared_home.source / f"{BROKEN}.parquet", benign[:3])
    with prepared_home.occupied() as project, prepared_home.instance() as instance:
        lake, keys = register(project, instance)
        assert {*GOOD, BROKEN} <= set(keys)
        with webserver(instance) as server:
            asked = {
                "selector": {
                    "partitionSetName": "data_half_partition_set",
                    "repositorySelector": {
                        "repositoryName": "__repository__",
                        "repositoryLocationName": "safety_assets",
                    },
                },
                "partitionNames": [*GOOD, BROKEN],
                "runConfigData": {"execution": {"config": {"in_process": {}}}},
            }
            launched = server.query(LAUNCH, params=asked)["launchPartitionBackfill"]
            assert launched["__typename"] == "LaunchBackfillSuccess", launched
            server.work_off_backfills()
        runs = instance.get_runs(dg.RunsFilter.for_backfill(launched["backfillId"]))
        yield Backfilled(
            prepared_home,
            instance,
            lake,
            instance.get_backfill(launched["backfillId"]).status,
            {run.tags["dagster/partition"]: run for run in runs},
            run_job(project, instance, "data_half", GOOD[0]),
        )


def test_there_is_one_run_for_each_partition(backfilled):
    assert sorted(backfilled.runs) == sorted([*GOOD, BROKEN])


def test_good_shards_succeed_beside_a_broken_one(backfilled):
    states = {shard: run.status for shard, run in backfilled.runs.items()}
    assert states == {**dict.fromkeys(GOOD, dg.DagsterRunStatus.SUCCESS), BROKEN: dg.DagsterRunStatus.FAILURE}
    assert backfilled.status == BulkActionStatus.COMPLETED_FAILED


def test_a_broken_shard_fails_where_it_is_read_with_an_error_that_names_it(backfilled):
    run = backfilled.runs[BROKEN]
    failures = backfilled.instance.all_logs(run.run_id, dg.DagsterEventType.STEP_FAILURE)
    assert [entry.step_key for entry in failures] == ["fineweb"]
    cause = failures[0].dagster_event.step_failure_data.error.cause
    assert cause.cls_name == "UnreadableShard"
    assert BROKEN in cause.message


@pytest.mark.parametrize("table", TABLES)
def test_a_broken_shard_leaves_nothing_in_the_lake(backfilled, table):
    assert backfilled.lake.version(table, BROKEN) is None


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_both_good_partitions(backfilled, table):
    partitions = {version.partition for version in backfilled.lake.versions(table)}
    assert partitions >= set(GOOD)


@pytest.mark.parametrize("shard", GOOD)
def test_every_row_of_a_shard_has_one_disposition(backfilled, shard):
    counted = backfilled.lake.rows("summary_dispositions", {"shards": [shard]})
    assert {row["disposition"] for row in counted} <= {
        "kept",
        "rephrased",
        "refused",
        "held_back",
        "rejected",
    }
    assert sum(row["documents"] for row in counted) == 5
    assert not [row["why"] for row in counted if row["why"].endswith(" yet")]


def test_benign_documents_are_kept_and_a_blank_one_is_rejected(backfilled):
    counted = backfilled.lake.rows("summary_dispositions", {"shards": list(GOOD)})
    found = {(row["disposition"], row["why"]): row["documents"] for row in counted}
    assert found[("rejected", "empty_text")] == 1
    assert found[("kept", "")] >= 1


@pytest.mark.parametrize("shard", GOOD)
def test_a_document_is_kept_if_and_only_if_it_was_scored_0(backfilled, shard):
    with backfilled.lake.read("scored_fineweb", partition=shard) as reader:
        scores = [row["safety_score"] for row in reader.read_all().to_pylist()]
    counted = backfilled.lake.rows("summary_dispositions", {"shards": [shard]})
    kept = sum(row["documents"] for row in counted if row["disposition"] == "kept")
    assert kept == scores.count(0)


def test_both_ways_of_an_unsafe_document_were_gone(backfilled):
    sources = {
        table: sum(backfilled.materialisation(table, shard).metadata["sources"].value for shard in GOOD)
        for table in ("safeweb", "refuseweb")
    }
    assert all(sources.values()), sources


@pytest.mark.parametrize("shard", GOOD)
@pytest.mark.parametrize("table", TABLES)
def test_gates_of_every_partition_were_recorded_and_passed(backfilled, written_by, table, shard):
    passed = backfilled.lake.require_gates([(table, shard)], provenance=written_by(shard))
    assert passed[table] == backfilled.lake.version(table, shard)


@pytest.mark.parametrize("shard", GOOD)
def test_every_check_is_seen_in_dagster(backfilled, shard):
    evaluations = backfilled.instance.all_logs(
        backfilled.runs[shard].run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    found = {entry.dagster_event.asset_check_evaluation_data.asset_check_key for entry in evaluations}
    assert found == {key for table in TABLES for key in GRAPH.get(dg.AssetKey(table)).check_keys}
    found = [entry.dagster_event.asset_check_evaluation_data for entry in evaluations]
    # Nobody audited these scores, and the data set made of them says so.
    assert {check.check_name for check in found if not check.passed} == {"audited"}


@pytest.mark.parametrize("shard", GOOD)
@pytest.mark.parametrize("table", TABLES)
def test_metadata_of_a_partition_is_numbers_only(backfilled, table, shard):
    metadata = backfilled.materialisation(table, shard).metadata
    numbers = (dg.IntMetadataValue, dg.FloatMetadataValue)
    assert not {name: value for name, value in metadata.items() if not isinstance(value, numbers)}
    assert {"dagster/partition_row_count", "snapshot_id"} <= set(metadata)


@pytest.mark.parametrize("table", TABLES)
def test_the_data_version_is_the_snapshot_in_the_lake(backfilled, table):
    # The other good shard was run again since, and has a newer one.
    event = backfilled.materialisation(table, GOOD[1])
    version = backfilled.lake.version(table, GOOD[1])
    assert event.tags["dagster/data_version"] == str(version.snapshot_id)
    assert event.metadata["dagster/partition_row_count"].value == version.rows


def test_no_text_of_a_document_reaches_an_event_log(backfilled):
    instance = backfilled.instance
    entries = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    assert entries
    assert not [entry for entry in entries if MARKER in dg.serialize_value(entry)]


def test_no_text_of_a_document_reaches_a_file_of_the_instance(backfilled):
    files = [path for path in backfilled.home.dagster.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if MARKER.encode() in path.read_bytes()]


def test_running_a_partition_again_asks_the_language_model_nothing(backfilled):
    again = backfilled.again
    assert again.success
    asked = {}
    for event in again.get_asset_materialization_events():
        table, metadata = event.asset_key.to_user_string(), event.materialization.metadata
        if "llm_requests" in metadata:
            before = backfilled.materialisation(table, GOOD[0]).metadata
            asked[table] = metadata["llm_requests"].value
            assert metadata["llm_requests_reused"].value == sum(
                before[name].value for name in ("llm_requests", "llm_requests_reused")
            )
    assert asked == dict.fromkeys(SYNTHESIS[1:], 0)
    before = backfilled.materialisation("safeweb", GOOD[0]).metadata
    assert before["llm_requests"].value > 0


def test_running_a_partition_again_writes_the_same_rows(backfilled):
    for table in TABLES:
        version = backfilled.lake.version(table, GOOD[0])
        before = int(backfilled.materialisation(table, GOOD[0]).tags["dagster/data_version"])
        assert version.snapshot_id > before
        assert _rows(backfilled.lake, table, before) == _rows(backfilled.lake, table, version.snapshot_id)


def _rows(lake: Lake, table: str, snapshot_id: int) -> list[dict]:
    with lake.read(table, partition=GOOD[0], snapshot_id=snapshot_id, order_by="document_id") as reader:
        return reader.read_all().to_pylist()
