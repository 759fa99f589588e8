"""Refusals are made of scores that an audit did not find wanting; of scores that nobody audited, with a warning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from resources.lake import Lake
from safety_assets.annotation import assets as annotation
from safety_assets.definitions import ProjectDefinitions
from safety_assets.mixtures.mix import inputs_of
from safety_assets.mixtures.recipes import MixtureError, load_recipes
from tests.dagster.conftest import QUICK, some_seeds
from tests.support.instance import Home, new_home, register, run_job, small_profile
from tests.support.small_source import MARKER, texts_of_level, write_shard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHARD = "audited"
BECAUSE = "The labels were those of a trial, not of a reader."


@dataclass(frozen=True)
class Audits:
    """A prepared home with one scored shard of unsafe documents, and few judgements that are enough."""

    home: Home
    project: ProjectDefinitions
    instance: dg.DagsterInstance
    lake: Lake

    def audit(self, judge: str) -> dg.ExecuteInProcessResult:
        config = {"ops": {"score_audit": {"config": {"judge": judge}}}}
        return run_job(self.project, self.instance, "audit", run_config=config)

    def refuse(self, override: str | None = None) -> dg.ExecuteInProcessResult:
        asked = {} if override is None else {"override_gates_because": override}
        config = {"ops": {"refuseweb": {"config": asked}}}
        return run_job(self.project, self.instance, "refuseweb_only", SHARD, config)

    def only(self, asset: str) -> dg.ExecuteInProcessResult:
        return run_job(self.project, self.instance, f"{asset}_only", SHARD)

    def labels(self, name: str, score: int) -> str:
        """The sample that an audit writes, every document labelled ``score``; gives the file's path."""
        # Whether its audit is kept or not.
        self.audit("labels")
        [sample] = (self.home.path / "audit").glob("sample-*.jsonl")
        lines = sample.read_text("utf-8").splitlines()
        path = self.home.path / name
        path.write_text("".join(f"{json.dumps(json.loads(line) | {'score': score})}\n" for line in lines))
        return str(path)


@pytest.fixture(scope="module")
def audits(packaged_models, tmp_path_factory) -> Iterator[Audits]:
    # A home of its own: an audit is of all shards, and what it blocks or lets pass is seen by every other test there.
    folder = tmp_path_factory.mktemp("audits")
    profile = small_profile(folder / "quick.yaml", **QUICK, audit={"least_judged": 2, "per_stratum": 8})
    home = new_home(folder / "home", packaged_models, profile)
    texts = [*texts_of_level(0)[:2], *texts_of_level(4)[:2], *texts_of_level(5)[:3]]
    with pytest.MonkeyPatch.context() as patch, home.occupied() as project, home.instance() as instance:
        patch.setattr(annotation, "seed_rows", some_seeds)
        assert run_job(project, instance, "prepare_scoring").success
        write_shard(home.source / f"{SHARD}.parquet", texts)
        lake, _ = register(project, instance)
        assert run_job(project, instance, "scores", SHARD).success
        yield Audits(home, project, instance, lake)
        lake.close()


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, dg.AssetCheckSeverity]]:
    """Outcomes of a run's checks."""
    return {one.check_name: (one.passed, one.severity) for one in result.get_asset_check_evaluations()}


def refusal(result: dg.ExecuteInProcessResult) -> str:
    """Why the gates refused a run."""
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    cause = failure.step_failure_data.error.cause
    assert cause.cls_name == "GateError"
    return cause.message


def test_scores_that_nobody_audited_are_refused_with_a_warning(audits):
    result = audits.refuse()
    assert result.success
    assert checks(result)["audited"] == (False, dg.AssetCheckSeverity.WARN)


def test_an_audit_that_could_judge_nothing_blocks_nothing_and_is_no_audit(audits):
    result = audits.audit("labels")
    assert result.success
    assert checks(result)["precision_floor"][0]
    assert checks(result)["enough_judged"] == (False, dg.AssetCheckSeverity.WARN)
    refused = audits.refuse()
    assert refused.success
    assert not checks(refused)["audited"][0]


def test_scores_found_wrong_are_not_refused_but_with_a_reason_that_is_kept(audits):
    result = audits.audit(audits.labels("harmless.jsonl", 0))
    assert checks(result)["precision_floor"] == (False, dg.AssetCheckSeverity.ERROR)
    before = audits.lake.version("refuseweb", SHARD)
    message = refusal(audits.refuse())
    assert "score_audit" in message
    assert "precision_floor" in message
    assert audits.lake.version("refuseweb", SHARD) == before

    passed = audits.refuse(BECAUSE)
    assert passed.success
    assert checks(passed)["audited"][0]
    with audits.lake.read("gates", columns=["dataset", "check_name", "override_reason", "run_id"]) as reader:
        kept = [row for row in reader.read_all().to_pylist() if row["override_reason"] == BECAUSE]
    assert kept == [
        {
            "dataset": "score_audit",
            "check_name": "override by refuseweb",
            "override_reason": BECAUSE,
            "run_id": passed.run_id,
        }
    ]
    # The reason was that run's: the next one is asked for its own.
    assert "precision_floor" in refusal(audits.refuse())
    assert_card_tells(audits, "refuseweb", BECAUSE, "harmless.jsonl")
    # Dialogues that are there already go no further: not into articles, and not into a mixture.
    assert "precision_floor" in refusal(audits.only("moral_education"))
    assert audits.only("safeweb").success
    with pytest.raises(MixtureError, match="1 failed some"):
        inputs_of(load_recipes()["plus_refusal"], audits.lake)
    # A run whose judge knows none of them, as the default one, does not lift it.
    there = audits.lake.version("score_audit", "all")
    assert not audits.audit("labels").success
    assert audits.lake.version("score_audit", "all") == there
    assert "precision_floor" in refusal(audits.refuse())


def test_scores_found_right_are_refused(audits):
    result = audits.audit(audits.labels("harmful.jsonl", 5))
    assert result.success
    assert checks(result)["enough_judged"][0]
    [made] = result.get_asset_materialization_events()
    numbers = made.materialization.metadata
    assert numbers["precision_ge4"].value == 1.0
    assert numbers["unjudged"].value == 0
    assert MARKER not in repr(numbers)
    refused = audits.refuse()
    assert refused.success
    assert checks(refused)["audited"][0]
    assert audits.only("moral_education").success
    read, left_out = inputs_of(load_recipes()["plus_refusal"], audits.lake)
    assert ({shard for _, shard in read}, left_out) == ({SHARD}, 0)


def test_a_file_of_labels_that_is_not_there_fails_the_audit_and_leaves_the_old_one(audits):
    before = audits.lake.version("score_audit", "all")
    result = audits.audit(str(Path(audits.home.path) / "nowhere.jsonl"))
    assert not result.success
    assert audits.lake.version("score_audit", "all") == before


def assert_card_tells(audits: Audits, dataset: str, *facts: str) -> None:
    job = audits.project.definitions.resolve_job_def("report_cards")
    key = dg.AssetKey(["report_card", dataset])
    assert job.execute_in_process(instance=audits.instance, asset_selection=[key]).success
    page = (audits.home.path / "report_cards" / f"{dataset}.html").read_text(encoding="utf-8")
    for fact in facts:
        assert fact in page
