"""A home of its own for a test: lake, Dagster instance and source in a temporary folder, real small models.

Runs are made through Dagster, as a user's are: one after another in this process, or through the web server's
GraphQL with the backfill daemon's work done here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient

from resources.lake import Lake
from resources.model_store import LocalModel
from resources.profile import load_profile
from safety_assets.corpus.registry import list_source, register_shards
from safety_assets.definitions import ProjectDefinitions, project_definitions

__all__ = ["ROOT", "Home", "WebServer", "new_home", "register", "run_job", "small_profile", "webserver"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """Folders of one test deployment."""

    path: Path
    profile: str

    @property
    def source(self) -> Path:
        """The folder that shards are put into."""
        return self.path / "source"

    @property
    def dagster(self) -> Path:
        """The instance's folder."""
        return self.path / "dagster"

    def environment(self) -> dict[str, str]:
        """What a process needs to live here."""
        return {
            "SAFETY_HOME": str(self.path),
            "DAGSTER_HOME": str(self.dagster),
            "SAFETY_SOURCE": str(self.source),
            "SAFETY_PROFILE": self.profile,
        }

    @contextmanager
    def occupied(self) -> Iterator[ProjectDefinitions]:
        """This process lives here within the block; its own environment comes back afterwards."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment().items():
                patch.setenv(name, value)
            yield project_definitions()

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The instance of this home, which launches runs at once and in this process; pools as deployed."""
        deployed = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        with dg.instance_for_test(
            overrides={"concurrency": {"pools": deployed["concurrency"]["pools"]}},
            temp_dir=str(self.dagster),
            synchronous_run_launcher=True,
            synchronous_run_coordinator=True,
        ) as instance:
            yield instance


def new_home(path: Path, models: Mapping[str, LocalModel] | None = None, profile: str = "embedded") -> Home:
    """A home in ``path``; ``models`` are linked from where they were prepared."""
    home = Home(path, profile)
    home.source.mkdir(parents=True)
    home.dagster.mkdir()
    if models:
        (path / "models").symlink_to(next(iter(models.values())).folder.parent, target_is_directory=True)
    return home


def small_profile(path: Path, **sections: Mapping[str, Any]) -> str:
    """Write the embedded profile with some settings changed, its lake in ``SAFETY_HOME``; gives its path."""
    settings = load_profile("embedded").model_dump(mode="json", exclude={"lake", "source"})
    for section, changed in sections.items():
        settings[section] |= changed
    settings["lake"] = {
        "catalog": "sqlite:${SAFETY_HOME}/lake/catalog.sqlite",
        "data_path": "${SAFETY_HOME}/lake/data",
    }
    settings["source"] = {"source": "${SAFETY_SOURCE:-sample}"}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return str(path)


def register(project: ProjectDefinitions, instance: dg.DagsterInstance) -> tuple[Lake, list[str]]:
    """Make partitions of the source's shards, as ``make run`` and the sensor do."""
    lake = project.lake.open()
    keys = register_shards(lake, project.source.source, None, list_source(project.source), "test")
    instance.add_dynamic_partitions("shard", keys)
    return lake, keys


def run_job(
    project: ProjectDefinitions,
    instance: dg.DagsterInstance,
    job: str,
    partition: str | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job of the project; a failed run is a result, not an exception."""
    return project.definitions.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, run_config=dict(run_config or {}), raise_on_error=False
    )


@dataclass(frozen=True)
class WebServer:
    """The web server's GraphQL, answered in this process."""

    client: TestClient
    _context: Any

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = self.client.post("/graphql", json={"query": text, "variables": variables}).json()
        assert not answer.get("errors"), answer["errors"]
        return answer["data"]

    def work_off_backfills(self) -> None:
        """What the daemon does every few seconds, until no backfill asks for more."""
        asked = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
        for _ in range(10):
            list(execute_backfill_iteration(self._context, logging.getLogger("backfills")))
            if not self._context.instance.get_backfills(filters=asked):
                return
        raise AssertionError("a backfill does not come to an end")


@contextmanager
def webserver(instance: dg.DagsterInstance) -> Iterator[WebServer]:
    """The project behind a real code server, and the web server over it without a socket."""
    target = ModuleTarget(
        module_name="safety_assets.definitions",
        attribute="defs",
        working_directory=str(ROOT),
        location_name="safety_assets",
    )
    with (
        create_test_daemon_workspace_context(target, instance) as context,
        TestClient(create_app_from_workspace_process_context(context)) as client,
    ):
        yield WebServer(client, context)
