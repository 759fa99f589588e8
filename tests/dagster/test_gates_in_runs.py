"""A consumer's run is refused an input that did not pass, at exactly the version it would read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from resources.lake import GateOutcome, Lake, Provenance
from safety_assets.definitions import ProjectDefinitions
from tests.support.instance import Home, register, run_job
from tests.support.small_source import texts_of_level, write_shard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BY_HAND = "test"
BECAUSE = "Two rows were looked at by hand on 3 March."


@dataclass(frozen=True)
class Deployment:
    """A prepared home in which one shard was validated."""

    home: Home
    project: ProjectDefinitions
    instance: dg.DagsterInstance
    lake: Lake

    def validated(self, shard: str) -> str:
        """Validate a new shard of two documents; returns its partition key."""
        write_shard(self.home.source / f"{shard}.parquet", texts_of_level(0)[:2])
        register(self.project, self.instance)
        assert run_job(self.project, self.instance, "fineweb_only", shard).success
        return shard

    def fail_gate(self, shard: str, check: str) -> None:
        """Record that a blocking check failed on the current version of a shard's documents."""
        version = self.lake.version("fineweb", shard)
        self.lake.record_gates(
            version, [GateOutcome(check, False, True, {"found": "by hand"})], Provenance(BY_HAND, shard, "r")
        )

    def rewrite(self, shard: str) -> None:
        """Put the same documents there again, with nobody to check them."""
        with self.lake.read("fineweb", partition=shard) as reader:
            batches = list(reader)
        self.lake.replace_partition("fineweb", batches, Provenance(BY_HAND, shard, "r"))

    def score(self, shard: str, override: str | None = None) -> dg.ExecuteInProcessResult:
        """Run the consumer, with a reason to pass in spite of gates or without one."""
        asked = {} if override is None else {"override_gates_because": override}
        config = {"ops": {"scored_fineweb": {"config": asked}}}
        return run_job(self.project, self.instance, "scored_fineweb_only", shard, config)


@pytest.fixture(scope="module")
def deployment(prepared_home) -> Iterator[Deployment]:
    with prepared_home.occupied() as project, prepared_home.instance() as instance:
        yield Deployment(prepared_home, project, instance, project.lake.open())


def refusal(result: dg.ExecuteInProcessResult) -> str:
    """Why the gates refused a run."""
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    cause = failure.step_failure_data.error.cause
    assert cause.cls_name == "GateError"
    return cause.message


def damaged_by_failed_gate(deployment: Deployment, shard: str) -> str:
    deployment.fail_gate(shard, "schema")
    return "failed schema"


def damaged_by_rewrite(deployment: Deployment, shard: str) -> str:
    deployment.rewrite(shard)
    return "was never checked"


def damaged_by_both(deployment: Deployment, shard: str) -> str:
    deployment.rewrite(shard)
    deployment.fail_gate(shard, "conservation")
    return "failed conservation"


def test_an_input_that_passed_is_read(deployment):
    shard = deployment.validated("passed")
    assert deployment.score(shard).success
    assert deployment.lake.version("scored_fineweb", shard).rows == 2


@pytest.mark.parametrize("damage", [damaged_by_failed_gate, damaged_by_rewrite, damaged_by_both])
def test_an_input_that_did_not_pass_at_this_version_is_refused(
    deployment, damage: Callable[[Deployment, str], str], request
):
    shard = deployment.validated(damage.__name__)
    problem = damage(deployment, shard)
    message = refusal(deployment.score(shard))
    snapshot = deployment.lake.version("fineweb", shard).snapshot_id
    assert f"fineweb[{shard}] at snapshot {snapshot} {problem}" in message
    assert "override_gates_because" in message
    assert deployment.lake.version("scored_fineweb", shard) is None


def test_a_refused_run_leaves_the_rows_of_an_earlier_one(deployment):
    shard = deployment.validated("earlier")
    assert deployment.score(shard).success
    before = deployment.lake.version("scored_fineweb", shard)
    deployment.fail_gate(shard, "schema")
    refusal(deployment.score(shard))
    assert deployment.lake.version("scored_fineweb", shard) == before


def test_materialising_the_input_again_opens_the_gate(deployment):
    shard = deployment.validated("mended")
    deployment.fail_gate(shard, "schema")
    refusal(deployment.score(shard))
    assert run_job(deployment.project, deployment.instance, "fineweb_only", shard).success
    assert deployment.score(shard).success


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_override_needs_a_reason(deployment, reason):
    shard = deployment.validated(f"unreasoned{len(reason)}")
    deployment.fail_gate(shard, "schema")
    assert "failed schema" in refusal(deployment.score(shard, reason))


def test_no_reason_stands_in_for_an_input_that_was_never_written(deployment):
    write_shard(deployment.home.source / "unwritten.parquet", texts_of_level(0)[:1])
    register(deployment.project, deployment.instance)
    assert "fineweb[unwritten] was never written" in refusal(deployment.score("unwritten", BECAUSE))


def test_an_override_is_for_one_run_and_stands_on_the_report_card(deployment):
    shard = deployment.validated("overridden")
    deployment.fail_gate(shard, "schema")
    result = deployment.score(shard, BECAUSE)
    assert result.success

    columns = ["dataset", "partition", "override_reason", "run_id"]
    with deployment.lake.read("gates", columns=columns) as reader:
        kept = [row for row in reader.read_all().to_pylist() if row["override_reason"]]
    assert kept == [
        {"dataset": "fineweb", "partition": shard, "override_reason": BECAUSE, "run_id": result.run_id}
    ]
    # The reason was that run's: the next one is asked for its own.
    assert "failed schema" in refusal(deployment.score(shard))

    job = deployment.project.definitions.resolve_job_def("report_cards")
    cards = job.execute_in_process(
        instance=deployment.instance, asset_selection=[dg.AssetKey(["report_card", "scored_fineweb"])]
    )
    [card] = cards.get_asset_materialization_events()
    assert card.materialization.metadata["overrides"].value == 1
    page = (deployment.home.path / "report_cards" / "scored_fineweb.html").read_text(encoding="utf-8")
    assert BECAUSE in page
