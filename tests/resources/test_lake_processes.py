"""What the lake promises to many processes: every write counts once, and a killed one leaves no trace."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from bench.lake import four_writers, memory_growth
from resources.lake import Lake, LakeSettings
from resources.lake_commits import insertion
from resources.lake_turns import hold, let_go, turns_of
from resources.statements import names
from tests.support.lake_writer import MARK, ROOT, TABLE, Plan, by, filled, start

OPEN_AND_COUNT = """
import sys
from resources.lake import Lake, LakeSettings
lake = Lake(LakeSettings(*sys.argv[1:]))
print(len(lake.schema("commits")), lake.versions("commits"))
"""


def marks(lake: Lake, partition: str) -> Counter:
    with lake.read(TABLE, partition=partition, columns=[MARK]) as reader:
        return Counter(reader.read_all().column(MARK).to_pylist())


def test_four_processes_lose_and_double_nothing(any_settings: LakeSettings):
    writes = 20 if any_settings.kind == "sqlite" else 5
    found = four_writers(any_settings, writes)
    assert (found["lost"], found["doubled"], found["wrong_versions"], found["failed_processes"]) == (
        0,
        0,
        0,
        0,
    )
    assert found["writes"] == 4 * writes


def test_writers_of_one_partition_take_turns(any_settings: LakeSettings):
    lake = Lake(any_settings)
    writers = [start(any_settings, Plan(f"w{number}", ["one"], 500, writes=3)) for number in range(3)]
    printed = "".join(writer.communicate()[0] for writer in writers)
    commits = {commit["snapshot"]: commit["mark"] for commit in map(json.loads, printed.splitlines())}
    assert len(commits) == 9
    last = max(commits)
    assert marks(lake, "one") == {commits[last]: 500}
    assert lake.version(TABLE, "one").snapshot_id == last
    lake.close()


def test_two_first_writes_of_a_partition_do_not_both_stay(any_settings: LakeSettings):
    # Neither deletes a row, so DuckLake sees no conflict: only the turns keep them apart.
    lakes = [Lake(any_settings), Lake(any_settings)]
    both_found_it_empty = threading.Barrier(2)

    def replace_slowly(lake: Lake, mark: str) -> None:
        rows = filled(lake.schema(TABLE), "a", 100, mark)

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute("DELETE FROM lake.segment_labels WHERE shard = 'a'")
            with suppress(threading.BrokenBarrierError):
                both_found_it_empty.wait(timeout=0.5)
            insertion(TABLE, rows)(cursor)

        lake._commits.run(write, by("a"))

    threads = [threading.Thread(target=replace_slowly, args=pair) for pair in zip(lakes, "xy", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(marks(lakes[0], "a").values()) == [100]
    for lake in lakes:
        lake.close()


def test_a_long_write_gets_through_between_short_ones(any_settings: LakeSettings):
    lake = Lake(any_settings)
    hasty = [start(any_settings, Plan(f"w{number}", [f"{number}"], 1, append=True)) for number in range(2)]
    try:
        for writer in hasty:
            writer.stdout.readline()
        rows = (filled(lake.schema(TABLE), "long", 10_000, "long") for _ in range(10))
        assert lake.replace_partition(TABLE, rows, by("long")).rows == 100_000
    finally:
        for writer in hasty:
            writer.kill()
            writer.wait()
    assert marks(lake, "long") == {"long": 100_000}
    lake.close()


def test_a_child_forked_during_a_commit_does_not_keep_the_turn(tmp_path: Path):
    turns = turns_of(LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/data"))
    with turns.taken("a", alone=False):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        lock = hold(tmp_path / "catalog.sqlite.turn")
        assert lock is not None
        let_go(lock)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_killed_writer_leaves_the_old_rows_or_the_new_ones(any_settings: LakeSettings):
    lake = Lake(any_settings)
    for attempt in range(3):
        # Endless writes of two partitions; the kill comes somewhere in the second write or later.
        writer = start(any_settings, Plan(f"w{attempt}", ["a", "b"], 3_000))
        writer.stdout.readline()
        time.sleep(random.uniform(0.0, 0.6))
        writer.kill()
        told = [json.loads(line) for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        for partition in "ab":
            found = marks(lake, partition)
            version = lake.version(TABLE, partition)
            assert sum(found.values()) == (version.rows if version else 0)
            assert len(found) <= 1
            assert set(found.values()) <= {3_000}
            assert version is None or version.snapshot_id >= max(
                (commit["snapshot"] for commit in told if commit["partition"] == partition), default=0
            )
    # The lake takes no harm: what was killed in the middle is written again by the next run.
    assert lake.replace_partition(TABLE, [filled(lake.schema(TABLE), "a", 7, "new")], by("a")).rows == 7
    assert marks(lake, "a") == {"new": 7}
    lake.close()


def test_processes_may_create_the_lake_at_once(any_settings: LakeSettings, tmp_path: Path):
    # A home of their own: the extensions are installed at once as well.
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", OPEN_AND_COUNT, any_settings.catalog, any_settings.data_path]
    (tmp_path / "home").mkdir()
    together = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(3)
    ]
    ended = [(*process.communicate(), process.returncode) for process in together]
    assert [code for *_, code in ended] == [0, 0, 0], ended[0][1] + ended[1][1] + ended[2][1]
    lake = Lake(any_settings)
    for table in names("tables"):
        with lake.read(table) as reader:
            assert reader.read_all().num_rows == 0
    lake.close()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows():
    assert memory_growth()["ratio"] <= 1.3
