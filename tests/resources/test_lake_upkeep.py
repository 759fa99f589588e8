"""Upkeep: fewer files and snapshots, and every version ever handed out can still be read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from resources.errors import LakeError
from resources.lake import Lake, PartitionVersion
from tests.support.lake_writer import MARK, TABLE, batches, by, filled

# Inlined, a small file, a file of several batches.
SIZES = {"a": 5, "b": 100, "c": 3_000}


def put(lake: Lake, partition: str, mark: str) -> PartitionVersion:
    rows = batches(lake.schema(TABLE), partition, SIZES[partition], mark)
    return lake.replace_partition(TABLE, rows, by(partition))


def files(lake: Lake) -> int:
    return len(list(Path(lake.settings.data_path).rglob("*.parquet")))


def rewrite_and_append(lake: Lake, rounds: range) -> dict[str, PartitionVersion]:
    versions = {}
    for number in rounds:
        for partition in SIZES:
            versions[f"{partition}{number}"] = put(lake, partition, f"{partition}{number}")
        for rows in (3, 40):
            lake.append("segment_labels", filled(lake.schema(TABLE), "answers", rows, "m"), by("answers"))
    return versions


def assert_readable(lake: Lake, versions: dict[str, PartitionVersion]) -> None:
    for mark, version in versions.items():
        with lake.read(TABLE, partition=version.partition, snapshot_id=version.snapshot_id) as reader:
            assert reader.read_all().column(MARK).to_pylist() == [mark] * version.rows


def test_versions_survive_any_number_of_rounds(any_lake: Lake):
    versions: dict[str, PartitionVersion] = {}
    for start in (0, 2):
        versions |= rewrite_and_append(any_lake, range(start, start + 2))
        before = files(any_lake)
        done = any_lake.compact(keep_days=0)
        assert done.snapshots_expired > 0
        assert done.files_merged > 0
        assert done.files_removed > 0
        assert files(any_lake) < before + done.tables_flushed
        assert_readable(any_lake, versions)
        assert any_lake.versions(TABLE) == [versions[f"{partition}{start + 1}"] for partition in SIZES]
    with any_lake.read(TABLE, partition="answers") as reader:
        assert reader.read_all().num_rows == 4 * 43


def test_young_snapshots_and_files_are_kept_and_a_second_round_finds_nothing(lake: Lake):
    rewrite_and_append(lake, range(2))
    before = files(lake)
    done = lake.compact(keep_days=1)
    assert (done.snapshots_expired, done.files_removed) == (0, 0)
    assert files(lake) >= before
    again = lake.compact(keep_days=1)
    assert (again.tables_flushed, again.files_merged, again.files_removed) == (0, 0, 0)


def test_a_forgotten_snapshot_is_named_when_asked_for(lake: Lake):
    put(lake, "b", "m")
    between = lake.append(TABLE, filled(lake.schema(TABLE), "answers", 30, "m"), by("answers"))
    put(lake, "c", "m")
    lake.compact(0)
    with (
        pytest.raises(LakeError, match=f"at snapshot {between}.*No snapshot found"),
        lake.read(TABLE, snapshot_id=between),
    ):
        pass


def test_writers_may_go_on_meanwhile(any_lake: Lake):
    rewrite_and_append(any_lake, range(1))
    other = Lake(any_lake.settings)
    versions: dict[str, PartitionVersion] = {}
    writer = threading.Thread(target=lambda: versions.update(rewrite_and_append(other, range(1, 3))))
    writer.start()
    while writer.is_alive():
        any_lake.compact(keep_days=1)
    writer.join()
    assert len(versions) == 2 * len(SIZES)
    assert_readable(any_lake, versions)
    other.close()


def test_days_cannot_be_negative(lake: Lake):
    with pytest.raises(LakeError, match="keep_days is -1"):
        lake.compact(-1)
