"""The look into the lake from a terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from resources import lake_shell
from resources.lake import Lake, LakeSettings
from resources.lake_resource import LakeResource
from resources.profile import LakeProfile, load_profile
from tests.support.lake_writer import TABLE, batches, by


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeProfile:
    """The lake of the embedded profile in a home of its own; not made yet."""
    monkeypatch.setenv("SAFETY_HOME", str(tmp_path))
    return load_profile("embedded").lake


@pytest.fixture
def written(profile: LakeProfile) -> None:
    lake = Lake(LakeSettings(profile.catalog, profile.data_path))
    lake.replace_partition(TABLE, batches(lake.schema(TABLE), "a", 42), by("a"))
    lake.close()


def test_a_lake_that_is_not_there_yet_is_said_in_one_line(profile, capsys: pytest.CaptureFixture[str]):
    assert lake_shell.main(["-c", "SELECT 1"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("There is no lake at")
    assert len(told.err.splitlines()) == 1


def test_one_statement_prints_a_table(written, capsys: pytest.CaptureFixture[str]):
    assert lake_shell.main(["-c", "SELECT shard, count(*) AS labels FROM segment_labels GROUP BY shard"]) == 0
    told = capsys.readouterr().out
    assert "labels" in told
    assert "42" in told


@pytest.mark.parametrize(
    ("statement", "message"), [("DELETE FROM commits", "read-only"), ("SELEC", "syntax error")]
)
def test_what_fails_is_said_in_one_line(written, capsys: pytest.CaptureFixture[str], statement, message):
    assert lake_shell.main(["-c", statement]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


def test_the_plain_prompt_goes_on_after_an_error(written, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("nonsense;\nSELECT count(*)\n  AS rows_there FROM segment_labels;\n")
    )
    assert lake_shell.main([]) == 0
    told = capsys.readouterr().out
    assert "syntax error" in told
    assert "rows_there" in told
    assert "42" in told


def test_duckdbs_own_shell_gets_the_lake(written):
    pytest.importorskip("duckdb_cli")
    done = subprocess.run(
        [sys.executable, "-m", "resources.lake_shell"],
        input="SELECT count(*) AS rows_there FROM segment_labels;\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "rows_there" in done.stdout
    assert "42" in done.stdout


def test_a_process_shares_one_lake_per_resource(profile: LakeProfile):
    resource = LakeResource.from_profile(profile)
    lake = resource.open()
    assert LakeResource.from_profile(profile).open() is lake
    assert lake.settings == LakeSettings(profile.catalog, profile.data_path, profile.memory_limit)
    assert (
        LakeResource(catalog=profile.catalog, data_path=profile.data_path, memory_limit="2GB").open()
        is not lake
    )
