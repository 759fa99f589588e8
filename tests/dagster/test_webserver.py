"""One real ``dg dev``, as ``make ui`` starts it, driven over GraphQL: server, daemon, code server, runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from safety_assets.corpus.registry import list_source, register_shards
from safety_assets.definitions import project_definitions
from tests.support.instance import ROOT, Home, new_home
from tests.support.small_source import MARKER, texts_of_level, write_shard

pytestmark = pytest.mark.slow

# Generous: ready in four seconds on an idle machine, and shared machines are not idle.
PATIENCE_S = 120
SHARD = "harbour"
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "safety_assets"}

NODES = """
{
  assetNodes {
    assetKey { path }
    groupName
    pools
    assetChecksOrError { ... on AssetChecks { checks { name } } }
  }
}"""
ADD_PARTITION = """
mutation Add($selector: RepositorySelector!, $key: String!) {
  addDynamicPartition(repositorySelector: $selector, partitionsDefName: "shard", partitionKey: $key) {
    __typename
    ... on PythonError { message }
  }
}"""
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      status
      assetMaterializations {
        assetKey { path }
        partition
        metadataEntries { label ... on IntMetadataEntry { intValue } }
      }
      eventConnection(limit: 1000) { events { __typename } }
    }
  }
}"""


@dataclass(frozen=True)
class WebUI:
    """The running processes and their address."""

    process: subprocess.Popen
    home: Home
    port: int
    log: Path

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": text, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            body = json.load(error)
        assert not body.get("errors"), body["errors"]
        return body["data"]

    def listening(self) -> set[str]:
        """Addresses on which the server or one of its children accepts connections."""
        family = psutil.Process(self.process.pid)
        return {
            connection.laddr.ip
            for member in [family, *family.children(recursive=True)]
            for connection in member.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }


def eventually(wanted: Callable[[], Any], what: str, log: Path) -> Any:
    """The first true result of asking again and again."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := wanted():
            return found
        time.sleep(0.3)
    raise AssertionError(f"waited {PATIENCE_S} s for {what}:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def web_ui(tmp_path_factory) -> Iterator[WebUI]:
    """``dg dev`` over a home of its own, with one shard registered; all its processes end with the tests."""
    folder = tmp_path_factory.mktemp("web")
    home = new_home(folder / "home")
    shutil.copyfile(ROOT / "dagster.yaml", home.dagster / "dagster.yaml")
    write_shard(home.source / f"{SHARD}.parquet", [*texts_of_level(0)[:3], ""])
    with home.occupied() as project:
        lake = project.lake.open()
        register_shards(lake, project.source.source, None, list_source(project.source), "test")
        lake.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "dg.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dg"), "dev", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | home.environment() | {"VIRTUAL_ENV": sys.prefix},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ui = WebUI(process, home, port, log)
    try:
        eventually(lambda: _ready(ui), "the web server", log)
        yield ui
    finally:
        _end(process)


def _ready(ui: WebUI) -> bool:
    assert ui.process.poll() is None, ui.log.read_text()[-3000:]
    try:
        return bool(ui.query("{ version }")["version"])
    except OSError:
        return False


def _end(process: subprocess.Popen) -> None:
    """Ask the whole process group to end, and make sure that it has."""
    group = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(group, timeout=20)
    for member in alive:
        member.kill()
    process.wait(20)


def test_every_asset_loads_with_its_pool_and_checks(web_ui):
    nodes = {"/".join(node["assetKey"]["path"]): node for node in web_ui.query(NODES)["assetNodes"]}
    repository = project_definitions("embedded").definitions.get_repository_def()
    wanted = {node.key.to_user_string(): node for node in repository.asset_graph.asset_nodes}
    assert set(nodes) == set(wanted)
    for key, node in wanted.items():
        assert nodes[key]["groupName"] == node.group_name
        assert set(nodes[key]["pools"]) == set(node.pools or ())
        checks = nodes[key]["assetChecksOrError"].get("checks", [])
        assert {check["name"] for check in checks} == {check.name for check in node.check_keys}


def test_it_listens_on_this_machine_only(web_ui):
    assert web_ui.listening() <= {"127.0.0.1", "::1"}
    elsewhere = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    for address in elsewhere:
        with pytest.raises(OSError):
            socket.create_connection((address, web_ui.port), timeout=2).close()


def test_a_partition_is_added_and_run_to_its_end(web_ui):
    added = web_ui.query(ADD_PARTITION, selector=SELECTOR, key=SHARD)["addDynamicPartition"]
    assert added["__typename"] == "AddDynamicPartitionSuccess", added
    params = {
        "selector": {**SELECTOR, "jobName": "fineweb_only"},
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": SHARD}]},
        "runConfigData": {},
    }
    launched = web_ui.query(LAUNCH, params=params)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched

    def ended() -> dict[str, Any] | None:
        run = web_ui.query(RUN, id=launched["run"]["runId"])["runOrError"]
        return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    run = eventually(ended, "the run", web_ui.log)
    assert run["status"] == "SUCCESS"
    [made] = run["assetMaterializations"]
    assert (made["assetKey"]["path"], made["partition"]) == (["fineweb"], SHARD)
    numbers = {entry["label"]: entry.get("intValue") for entry in made["metadataEntries"]}
    assert (numbers["documents"], numbers["quarantined"]) == (3, 1)
    kinds = [event["__typename"] for event in run["eventConnection"]["events"]]
    assert kinds.count("AssetCheckEvaluationEvent") == 3


def test_no_text_of_a_document_is_in_what_the_processes_wrote(web_ui):
    written = [path for path in web_ui.home.dagster.rglob("*") if path.is_file()] + [web_ui.log]
    assert len(written) > 1
    assert not [path for path in written if MARKER.encode() in path.read_bytes()]
