"""The main job's command where it cannot work: one clear sentence, an exit code, and nothing half-written."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.instance import ROOT, Home, new_home, small_profile
from tests.support.small_source import texts_of_level, write_shard


@pytest.fixture
def home(tmp_path, packaged_models) -> Home:
    """A home with prepared models and one shard in its source folder."""
    made = new_home(tmp_path / "home", packaged_models)
    made.dagster.rmdir()
    write_shard(made.source / "only.parquet", texts_of_level(0)[:2])
    return made


def run(environment: dict[str, str], *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """``python -m safety_assets.run``, with nothing of this process's settings but the environment given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "safety_assets.run", *arguments],
        cwd=cwd,
        env=kept | {"HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed run says on stderr, which is one line."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.strip()]
    return line


def made_in(folder: Path) -> set[str]:
    """What was made in a home beside what the test put there."""
    return {path.relative_to(folder).parts[0] for path in folder.iterdir()} - {"models", "source"}


def test_an_unknown_profile_is_named_with_those_that_exist(home):
    said = complaint(run(home.environment() | {"SAFETY_PROFILE": "embeded"}))
    assert said.startswith("Failed: Unknown profile 'embeded'")
    assert "embedded" in said
    assert "lake" not in made_in(home.path)


def test_a_malformed_profile_on_the_command_line_lists_its_faults(home, tmp_path):
    profile = tmp_path / "typo.yaml"
    profile.write_text("name: typo\nlake: {catalog: 'sqlite:x'}\nlanguage_mode: {}\n")
    said = complaint(run(home.environment(), "--profile", str(profile)))
    assert "typo.yaml" in said and "lake.data_path" in said and "language_mode" in said
    assert "lake" not in made_in(home.path)


def test_a_source_folder_that_is_not_there_is_named(home):
    missing = home.path / "nowhere"
    said = complaint(run(home.environment(), "--source", str(missing)))
    assert str(missing) in said and "correct the shard source" in said
    assert not missing.exists()


def test_a_source_folder_without_shards_is_named(home):
    (home.source / "only.parquet").unlink()
    assert f"{home.source} holds no shard" in complaint(run(home.environment(), "--source", str(home.source)))


def test_an_address_with_a_password_is_refused_without_repeating_it(home):
    done = run(home.environment(), "--source", "https://user:opensesame@host.example/file.parquet")
    assert "opensesame" not in done.stdout + done.stderr
    complaint(done)


def test_a_home_that_cannot_be_written_is_named(home, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    environment = home.environment() | {"SAFETY_HOME": str(blocked / "home")}
    del environment["DAGSTER_HOME"]
    assert str(blocked) in complaint(run(environment))
    assert blocked.read_text() == "not a folder"


def test_an_empty_dagster_home_counts_as_none(home, tmp_path):
    # No profile of that name: the run ends before anything but the instance's folder is made.
    run(home.environment() | {"DAGSTER_HOME": "", "SAFETY_PROFILE": "none"}, cwd=tmp_path)
    assert not (tmp_path / "dagster.yaml").exists()


@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_number_of_shards_that_makes_no_sense_is_refused(home, count):
    # A run that gets past its options ends at the unknown profile with code 1; wrong options end it with 2.
    done = run(home.environment() | {"SAFETY_PROFILE": "none"}, "--max-shards", count)
    assert done.returncode == 2 and "--max-shards" in done.stderr


def test_a_lake_that_cannot_be_written_is_named(home):
    (home.path / "lake").write_text("not a folder")
    said = complaint(run(home.environment()))
    assert str(home.path / "lake") in said


@pytest.mark.slow
def test_a_model_server_that_does_not_answer_is_named_and_nothing_is_scored(home, tmp_path):
    with socket.socket() as held:
        # Bound and not listening: the port refuses, and nobody else gets it meanwhile.
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        server = {"backend": "openai", "model": "m", "base_url": address, "transport_retries": 0}
        profile = small_profile(tmp_path / "far.yaml", language_model=server)
        done = run(home.environment(), "--profile", profile)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    failures = [line for line in done.stderr.splitlines() if "failed:" in line]
    assert failures and all(address in line for line in failures)
    assert "FAILED: " in done.stdout
    with home.occupied() as project:
        lake = project.lake.open()
        assert lake.versions("scored_fineweb") == []
        lake.close()
