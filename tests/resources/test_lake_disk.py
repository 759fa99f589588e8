"""Disks that are full or closed, catalogs that are not there: one clear error, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from resources.errors import LakeError
from resources.lake import Lake, LakeSettings
from resources.lake_spool import STALE_S, Workspace
from resources.lake_turns import hold
from tests.support.lake_writer import TABLE, batches, by, filled

DOCUMENTS = "fineweb"


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], None]]:
    """Mounts a disk of a few megabytes on a folder; only root may."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str, options: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk here: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def settings_in(folder: Path) -> LakeSettings:
    return LakeSettings(f"sqlite:{folder}/catalog.sqlite", f"{folder}/data")


def documents(lake: Lake, rows: int, mark: str):
    return batches(lake.schema(DOCUMENTS), "a", rows, mark, text_chars=2_000)


def count(lake: Lake) -> int:
    with lake.read(DOCUMENTS, partition="a") as reader:
        return reader.read_all().num_rows


def assert_old_rows_and_usable(lake: Lake) -> None:
    assert count(lake) == 50
    assert lake.version(DOCUMENTS, "a").rows == 50
    lake.replace_partition(DOCUMENTS, documents(lake, 60, "small"), by("a"))
    assert count(lake) == 60


# -- full --------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_while_spooling(tmp_path: Path, small_disk):
    small_disk(tmp_path / "lake", "6m")
    lake = Lake(settings_in(tmp_path / "lake"))
    lake.replace_partition(DOCUMENTS, documents(lake, 50, "old"), by("a"))
    with pytest.raises(
        LakeError, match=r"fineweb, partition a, could not be spooled.*No space left.*Free some"
    ):
        lake.replace_partition(DOCUMENTS, documents(lake, 20_000, "new"), by("a"))
    assert_old_rows_and_usable(lake)
    lake.close()


def test_a_disk_that_fills_while_inserting(tmp_path: Path, small_disk):
    # The spool is beside the data folder, here on another disk.
    small_disk(tmp_path / "lake" / "data", "2m")
    lake = Lake(settings_in(tmp_path / "lake"))
    lake.replace_partition(DOCUMENTS, documents(lake, 50, "old"), by("a"))
    with pytest.raises(LakeError, match=r"partition a failed and was rolled back.*disk has space"):
        lake.replace_partition(DOCUMENTS, documents(lake, 10_000, "new"), by("a"))
    # What DuckDB had begun to write would keep the disk full.
    assert len(list((tmp_path / "lake" / "data").rglob("*.parquet"))) == 1
    assert_old_rows_and_usable(lake)
    lake.close()


def test_a_disk_that_fills_under_the_catalog(tmp_path: Path, small_disk):
    small_disk(tmp_path / "catalog", "2m")
    lake = Lake(LakeSettings(f"sqlite:{tmp_path}/catalog/catalog.sqlite", f"{tmp_path}/lake/data"))
    lake.replace_partition(DOCUMENTS, documents(lake, 50, "old"), by("a"))
    ballast = tmp_path / "catalog" / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    began = time.monotonic()
    with pytest.raises(LakeError, match=r"rolled back.*disk"):
        for number in range(100):
            lake.replace_partition(DOCUMENTS, documents(lake, 50, f"new {number}"), by("a"))
    assert time.monotonic() - began < 10
    ballast.unlink()
    assert count(lake) == 50
    lake.replace_partition(DOCUMENTS, documents(lake, 60, "small"), by("a"))
    assert count(lake) == 60
    lake.close()


# -- closed ------------------------------------------------------------------------------------------------


def test_a_data_folder_that_cannot_be_written(tmp_path: Path, small_disk):
    small_disk(tmp_path / "lake", "2m", ",ro")
    with pytest.raises(LakeError, match=r"cannot be opened.*Check that the data folder is writable"):
        Lake(LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/lake/data"))


def test_a_file_where_a_folder_should_be(tmp_path: Path):
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(LakeError, match="cannot be opened"):
        Lake(settings_in(tmp_path))
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LakeError, match="cannot be opened"):
        Lake(LakeSettings(f"sqlite:{tmp_path}/file/catalog.sqlite", f"{tmp_path}/lake/data"))


def test_a_catalog_that_is_none(tmp_path: Path):
    (tmp_path / "catalog.sqlite").write_bytes(b"something else " * 1_000)
    with pytest.raises(LakeError, match=r"cannot be opened.*not a database"):
        Lake(settings_in(tmp_path))


def test_a_catalog_of_another_data_folder(tmp_path: Path):
    Lake(settings_in(tmp_path)).close()
    with pytest.raises(LakeError, match="does not match existing data path"):
        Lake(LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/elsewhere"))


def test_a_server_that_is_not_there(tmp_path: Path):
    secret = "host=127.0.0.1 port=1 user=somebody dbname=lake connect_timeout=2"
    with pytest.raises(LakeError, match=r"postgres catalog\) cannot be opened.*catalog reachable") as raised:
        Lake(LakeSettings(f"postgres:{secret}", str(tmp_path / "data")))
    assert "somebody" not in str(raised.value)


def test_a_lake_that_is_not_there_yet_cannot_be_read(tmp_path: Path):
    with pytest.raises(LakeError, match=r"There is no lake at .* yet: materialise an asset first"):
        Lake(LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/data", read_only=True))
    assert not (tmp_path / "data").exists()


def test_a_lost_data_file_is_named(tmp_path: Path):
    lake = Lake(settings_in(tmp_path))
    lake.replace_partition(TABLE, batches(lake.schema(TABLE), "a", 500), by("a"))
    (lost,) = (tmp_path / "data").rglob("*.parquet")
    lost.unlink()
    with (
        pytest.raises(LakeError, match=rf"Reading {TABLE}\[a\].*{lost.name}"),
        lake.read(TABLE, partition="a") as reader,
    ):
        reader.read_all()
    lake.close()


# -- the spool ---------------------------------------------------------------------------------------------


def test_the_spool_lies_beside_the_data_and_is_emptied(tmp_path: Path):
    lake = Lake(settings_in(tmp_path))
    seen = []

    def rows():
        yield filled(lake.schema(TABLE), "a", 5_000)
        seen.extend((tmp_path / "data-spool").rglob("*.parquet"))

    lake.replace_partition(TABLE, rows(), by("a"))
    assert [path.name for path in seen] == [f"{TABLE}.parquet"]
    assert not list((tmp_path / "data-spool").rglob("*.parquet"))
    lake.close()
    assert not list((tmp_path / "data-spool").iterdir())


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path):
    settings = settings_in(tmp_path)
    shelf = tmp_path / "data-spool"
    left = {name: shelf / f"safety-lake-{name}" for name in ("old", "young", "in_use")}
    stranger = shelf / "somebody-elses"
    for folder in (*left.values(), stranger):
        folder.mkdir(parents=True)
        (folder / "rows.parquet").write_bytes(b"rows")
    long_ago = time.time() - STALE_S - 60
    for folder in (left["old"], left["in_use"], stranger):
        os.utime(folder, (long_ago, long_ago))
    lock = hold(left["in_use"])
    workspace = Workspace(settings)
    assert not left["old"].exists()
    assert left["young"].exists()
    assert left["in_use"].exists()
    assert stranger.exists()
    workspace.close()
    os.close(lock)


def test_many_small_batches_make_few_row_groups(tmp_path: Path):
    import pyarrow.parquet as pq

    lake = Lake(settings_in(tmp_path))
    one_by_one = (filled(lake.schema(TABLE), "a", 1) for _ in range(3_000))
    lake.replace_partition(TABLE, one_by_one, by("a"))
    (file,) = (tmp_path / "data").rglob("*.parquet")
    assert pq.ParquetFile(file).metadata.num_row_groups == 1
    lake.close()


def test_row_groups_of_long_documents_are_bounded_by_bytes(tmp_path: Path):
    import pyarrow.parquet as pq

    lake = Lake(settings_in(tmp_path))
    schema = lake.schema(DOCUMENTS)
    long = (filled(schema, "a", 50, text=[f"{number} " * 30_000 for number in range(50)]) for _ in range(12))
    lake.replace_partition(DOCUMENTS, long, by("a"))
    (file,) = (tmp_path / "data").rglob("*.parquet")
    groups = pq.ParquetFile(file).metadata
    assert max(groups.row_group(number).num_rows for number in range(groups.num_row_groups)) < 600
    lake.close()
