"""What the lake promises to one process: whole partitions or none, streams, versions, plain errors."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from resources.errors import LakeError
from resources.lake import Lake, LakeSettings, PartitionVersion
from resources.lake_commits import insertion
from resources.lake_connection import connect
from tests.support.lake_writer import MARK, TABLE, batches, by, filled

# DuckLake keeps so few rows in the catalog instead of in a file.
INLINED, IN_A_FILE = 5, 3_000


def put(lake: Lake, partition: str, rows: int, mark: str) -> PartitionVersion:
    return lake.replace_partition(TABLE, batches(lake.schema(TABLE), partition, rows, mark), by(partition))


def marks(lake: Lake, partition: str, snapshot_id: int | None = None) -> dict[str, int]:
    """How many rows a partition has of each mark."""
    with lake.read(TABLE, partition=partition, columns=[MARK], snapshot_id=snapshot_id) as reader:
        found = reader.read_all().column(MARK).to_pylist()
    return {mark: found.count(mark) for mark in set(found)}


# -- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [INLINED, IN_A_FILE])
def test_a_rerun_replaces_its_partition_and_no_other(any_lake: Lake, rows: int):
    put(any_lake, "a", rows, "first")
    put(any_lake, "b", rows, "other")
    put(any_lake, "a", rows - 1, "second")
    assert marks(any_lake, "a") == {"second": rows - 1}
    assert marks(any_lake, "b") == {"other": rows}


def test_a_partition_may_become_empty(lake: Lake):
    put(lake, "a", IN_A_FILE, "first")
    emptied = lake.replace_partition(TABLE, [], by("a"))
    assert marks(lake, "a") == {}
    assert lake.version(TABLE, "a") == emptied
    assert emptied.rows == 0


def test_tables_written_together_change_together(any_lake: Lake):
    segments, documents = any_lake.schema(TABLE), any_lake.schema("fineweb")
    versions = any_lake.replace_partitions(
        {TABLE: batches(segments, "a", 20, "old"), "fineweb": batches(documents, "a", 30, "old")}, by("a")
    )
    assert versions[TABLE].snapshot_id == versions["fineweb"].snapshot_id

    wrong = filled(documents, "another partition", 1)
    with pytest.raises(LakeError, match="names another partition"):
        any_lake.replace_partitions({TABLE: batches(segments, "a", 9, "new"), "fineweb": [wrong]}, by("a"))
    assert marks(any_lake, "a") == {"old": 20}
    assert any_lake.version(TABLE, "a") == versions[TABLE]


def test_the_batches_of_one_table_may_fill_those_of_a_later_one(lake: Lake):
    documents: list[pa.RecordBatch] = []

    def segments():
        for batch in batches(lake.schema(TABLE), "a", 40):
            documents.append(filled(lake.schema("fineweb"), "a", batch.num_rows))
            yield batch

    versions = lake.replace_partitions({TABLE: segments(), "fineweb": documents}, by("a"))
    assert versions["fineweb"].rows == 40


def test_batches_that_break_leave_the_old_rows_and_a_working_lake(any_lake: Lake):
    before = put(any_lake, "a", IN_A_FILE, "old")

    def broken():
        yield from batches(any_lake.schema(TABLE), "a", IN_A_FILE, "new")
        raise OSError("the source went away")

    with pytest.raises(OSError, match="the source went away"):
        any_lake.replace_partition(TABLE, broken(), by("a"))
    assert marks(any_lake, "a") == {"old": IN_A_FILE}
    assert any_lake.version(TABLE, "a") == before
    put(any_lake, "a", 4, "new")
    assert marks(any_lake, "a") == {"new": 4}


def _renamed(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.rename_columns([*batch.schema.names[:-1], "a_stranger"])


def _widened(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("a_stranger", pa.array([1] * batch.num_rows))


def _overflowing(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = batch.schema.get_field_index("score")
    return batch.set_column(place, "score", pa.array([1_000] * batch.num_rows))


def _with_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = batch.schema.get_field_index(MARK)
    return batch.set_column(place, MARK, pa.nulls(batch.num_rows, pa.large_string()))


SPOILT = [
    (_renamed, "do not have its columns, see a_stranger, probabilities"),
    (_widened, "do not have its columns, see a_stranger"),
    (_overflowing, "do not fit its columns.*1000"),
    (_with_nulls, "NOT NULL constraint failed.*Mend the rows"),
]


def test_rows_that_do_not_fit_are_refused_and_nothing_is_lost(lake: Lake):
    before = put(lake, "a", 100, "old")
    for spoil, message in SPOILT:
        with pytest.raises(LakeError, match=message):
            lake.replace_partition(TABLE, [spoil(filled(lake.schema(TABLE), "a", 50, "new"))], by("a"))
        assert marks(lake, "a") == {"old": 100}
        assert lake.version(TABLE, "a") == before
    put(lake, "a", 50, "new")
    assert marks(lake, "a") == {"new": 50}


def test_columns_may_come_in_any_order_and_as_plain_strings(lake: Lake):
    batch = filled(lake.schema(TABLE), "a", 3)
    plain = pa.schema(
        [
            pa.field(field.name, pa.string() if field.type == pa.large_string() else field.type)
            for field in reversed(batch.schema)
        ]
    )
    shuffled = pa.Table.from_batches([batch]).select(plain.names).cast(plain).to_batches()
    assert lake.replace_partition(TABLE, shuffled, by("a")).rows == 3


def test_appended_rows_add_up_and_change_no_version(any_lake: Lake):
    version = put(any_lake, "a", 20, "first")
    snapshots = [
        any_lake.append(TABLE, filled(any_lake.schema(TABLE), "a", 2, "more"), by("a")) for _ in range(3)
    ]
    assert snapshots == sorted(set(snapshots))
    assert snapshots[0] > version.snapshot_id
    assert marks(any_lake, "a") == {"first": 20, "more": 6}
    assert any_lake.version(TABLE, "a") == version
    assert isinstance(any_lake.append(TABLE, filled(any_lake.schema(TABLE), "a", 0), by("a")), int)


def test_a_commit_that_lost_a_race_is_tried_again(any_lake: Lake, tmp_path):
    # A stranger that knows nothing of turns: a shell, or a tool of somebody else.
    stranger = connect(any_lake.settings, tmp_path / "spill")
    put(any_lake, "a", IN_A_FILE, "old")
    interruptions = [0]

    def interrupted(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute("DELETE FROM lake.segment_labels WHERE shard = 'a'")
        insertion(TABLE, filled(any_lake.schema(TABLE), "a", IN_A_FILE, "new"))(cursor)
        if interruptions[0] < 2:
            interruptions[0] += 1
            stranger.execute("DELETE FROM lake.segment_labels WHERE char_start = ?", interruptions)

    any_lake._commits.run(interrupted, by("a"))
    assert interruptions == [2]
    assert marks(any_lake, "a") == {"new": IN_A_FILE}
    # The tries that were rolled back left no files.
    files = [path.name for path in Path(any_lake.settings.data_path).rglob("*.parquet")]
    assert len([name for name in files if "delete" not in name]) == 2
    stranger.close()


# -- reading -----------------------------------------------------------------------------------------------


def test_every_version_can_be_read_again(any_lake: Lake):
    written = {
        mark: put(any_lake, "a", rows, mark) for mark, rows in (("v1", 50), ("v2", 3), ("v3", IN_A_FILE))
    }
    any_lake.append(TABLE, filled(any_lake.schema(TABLE), "a", 1, "later"), by("a"))
    for mark, version in written.items():
        assert marks(any_lake, "a", version.snapshot_id) == {mark: version.rows}


def test_a_stream_sees_one_snapshot_while_another_thread_writes(any_lake: Lake):
    put(any_lake, "a", IN_A_FILE, "old")
    seen: list[str] = []
    with any_lake.read(TABLE, partition="a", batch_rows=256) as reader:
        for batch in reader:
            if not seen:
                writer = threading.Thread(target=put, args=(any_lake, "a", 10, "new"))
                writer.start()
                writer.join()
            assert batch.num_rows <= 256
            seen += batch.column(MARK).to_pylist()
    assert seen == ["old"] * IN_A_FILE
    assert marks(any_lake, "a") == {"new": 10}


def test_a_partition_can_be_rewritten_from_its_own_stream(lake: Lake):
    put(lake, "a", IN_A_FILE, "old")
    with lake.read(TABLE, partition="a") as reader:
        lake.replace_partition(TABLE, (batch.slice(0, 10) for batch in reader), by("a"))
    assert 0 < marks(lake, "a")["old"] < IN_A_FILE


def test_threads_share_a_lake(any_lake: Lake):
    failures: list[BaseException] = []

    def work(partition: str) -> None:
        try:
            for number in range(3):
                version = put(any_lake, partition, 300 + number, f"{number}")
                assert marks(any_lake, partition) == {f"{number}": 300 + number}
                assert any_lake.version(TABLE, partition) == version
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [version.rows for version in any_lake.versions(TABLE)] == [302] * 3


def test_rows_come_ordered_and_cut_to_columns_when_asked(lake: Lake):
    put(lake, "a", 200, "m")
    with lake.read(TABLE, partition="a", columns=["char_end", "shard"], order_by="char_end") as reader:
        assert reader.schema.names == ["char_end", "shard"]
        assert reader.schema.field("shard").type == pa.large_string()
        ends = reader.read_all().column("char_end").to_pylist()
    assert ends == sorted(ends)


def test_what_is_not_there_is_named(lake: Lake):
    for ask, message in (
        ({"table": "no_such_table"}, "no_such_table.*does not exist"),
        ({"table": TABLE, "columns": ["no_such_column"]}, "no_such_column"),
        ({"table": TABLE, "snapshot_id": 10_000}, "at snapshot 10000.*No snapshot found"),
    ):
        with pytest.raises(LakeError, match=message), lake.read(**ask):
            pass


def test_a_report_reads_the_versions_it_is_given(any_lake: Lake, monkeypatch: pytest.MonkeyPatch):
    query = (
        "SELECT text_hash FROM lake.segment_labels AS labels /*at:segment_labels*/ WHERE shard = $partition"
    )
    monkeypatch.setattr("resources.lake_reader.statement", lambda kind, name: query)
    old = put(any_lake, "a", 30, "old")
    put(any_lake, "a", 20, "new")
    for versions, mark in (({TABLE: old}, "old"), (None, "new")):
        with any_lake.report("any", {"partition": "a"}, versions=versions) as reader:
            assert set(reader.read_all().column(MARK).to_pylist()) == {mark}
    with pytest.raises(LakeError, match="cannot read fineweb at a version"):
        any_lake.report("any", {"partition": "a"}, versions={"fineweb": old}).__enter__()


# -- versions ----------------------------------------------------------------------------------------------


def test_the_version_is_the_snapshot_of_the_last_rewrite(any_lake: Lake):
    assert any_lake.version(TABLE, "a") is None
    assert any_lake.versions(TABLE) == []
    put(any_lake, "a", INLINED, "v1")
    b = put(any_lake, "b", IN_A_FILE, "v1")
    a = put(any_lake, "a", 0, "v2")
    assert any_lake.version(TABLE, "a") == a
    assert any_lake.versions(TABLE) == [a, b]
    assert a.snapshot_id > b.snapshot_id


# -- text from outside -------------------------------------------------------------------------------------


HOSTILE = ["a'; DROP TABLE shards; --", 'a"b', "$partition", "../../up", "line\nbreak", "ü 雪"]


def test_hostile_names_of_partitions_are_only_names(any_lake: Lake):
    for name in HOSTILE:
        version = put(any_lake, name, 30, name)
        assert marks(any_lake, name) == {name: 30}
        assert any_lake.version(TABLE, name) == version
    assert len(any_lake.versions(TABLE)) == len(HOSTILE)
    with any_lake.read("shards") as reader:
        assert reader.read_all().num_rows == 0


def test_what_is_no_plain_name_never_reaches_a_statement(lake: Lake):
    asks = (
        lambda name: lake.read(name).__enter__(),
        lambda name: lake.read("shards", columns=[name]).__enter__(),
        lambda name: lake.read("shards", order_by=name).__enter__(),
        lambda name: lake.append(name, filled(lake.schema("shards"), "a", 0), by("a")),
        lambda name: lake.replace_partition(name, [], by("a")),
    )
    for name in ("shards; DROP TABLE shards", 'shards"', "lake.shards", "sh ards", "shärds", ""):
        for ask in asks:
            with pytest.raises(LakeError, match="is not a table or column name"):
                ask(name)
    assert lake.schema("shards").names[0] == "shard"


# -- opening -----------------------------------------------------------------------------------------------


def test_a_read_only_lake_reads_and_refuses_to_write(any_lake: Lake):
    version = put(any_lake, "a", 100, "m")
    reader = Lake(replace(any_lake.settings, read_only=True))
    assert marks(reader, "a") == {"m": 100}
    for write in (
        lambda: put(reader, "a", 5, "x"),
        lambda: reader.append(TABLE, filled(any_lake.schema(TABLE), "a", 1), by("a")),
    ):
        with pytest.raises(LakeError, match="read-only"):
            write()
    newer = put(any_lake, "a", 50, "n")
    assert reader.version(TABLE, "a") == newer
    assert marks(reader, "a", version.snapshot_id) == {"m": 100}
    reader.close()


def test_a_second_lake_of_the_process_sees_what_the_first_wrote(lake: Lake):
    put(lake, "a", 10, "m")
    second = Lake(lake.settings)
    assert marks(second, "a") == {"m": 10}
    put(second, "a", 20, "n")
    assert marks(lake, "a") == {"n": 20}
    second.close()


@pytest.mark.parametrize("catalog", ["", "mysql:somewhere", "sqlite:", "catalog.sqlite"])
def test_an_unknown_catalog_is_refused(catalog: str):
    with pytest.raises(LakeError, match=r"Unknown lake catalog.*give sqlite:PATH or postgres"):
        LakeSettings(catalog, "data")


def test_a_password_has_no_place_in_the_settings():
    with pytest.raises(LakeError, match="set PGPASSWORD") as raised:
        LakeSettings("postgres:host=db user=me password=hunter2", "data")
    assert "hunter2" not in str(raised.value)
