"""The only entry point: wires assets, checks, jobs, schedules, sensors and resources together.

Importing this, or loading the definitions, imports no model library: those are imported where a step needs them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import dagster as dg

from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from resources.profile import DEFAULT_PROFILE, Profile, load_profile, safety_home
from resources.shard_source import ShardSourceResource
from safety_assets import automation
from safety_assets.annotation import assets as annotation_assets
from safety_assets.audit import assets as audit_assets
from safety_assets.benchmark import assets as benchmark_assets
from safety_assets.corpus import assets as corpus_assets
from safety_assets.evaluation import assets as evaluation_assets
from safety_assets.marking import assets as marking_assets
from safety_assets.mixtures import assets as mixture_assets
from safety_assets.report_cards import assets as report_card_assets
from safety_assets.scoring import assets as scoring_assets
from safety_assets.synthesis import assets as synthesis_assets
from safety_assets.terminal import terminal_logger
from safety_assets.training import assets as training_assets

__all__ = ["ProjectDefinitions", "defs", "project_definitions"]

STAGES = [
    corpus_assets,
    annotation_assets,
    scoring_assets,
    benchmark_assets,
    audit_assets,
    synthesis_assets,
    marking_assets,
    mixture_assets,
    training_assets,
    evaluation_assets,
    report_card_assets,
]


@dataclass(frozen=True)
class ProjectDefinitions:
    """The definitions, and the adapters they were wired with."""

    definitions: dg.Definitions
    profile: Profile
    lake: LakeResource
    source: ShardSourceResource


def project_definitions(profile_name: str | None = None) -> ProjectDefinitions:
    """Definitions for a profile; None takes ``SAFETY_PROFILE``, else ``embedded``.

    Raises:
        ProfileError: the profile is unknown or malformed.
    """
    profile = load_profile(profile_name)
    lake = LakeResource.from_profile(profile.lake)
    source = ShardSourceResource(
        source=profile.source.source,
        revision=profile.source.revision,
        max_shards=profile.source.max_shards,
        cache_dir=str(safety_home() / "shards"),
        sample_folder=str(safety_home() / "sample"),
    )
    definitions = dg.Definitions(
        assets=dg.load_assets_from_modules(STAGES),
        jobs=automation.JOBS,
        schedules=automation.SCHEDULES,
        sensors=automation.SENSORS,
        resources={
            "lake": lake,
            "source": source,
            "models": ModelsResource(
                profile_name=profile_name or os.environ.get("SAFETY_PROFILE") or DEFAULT_PROFILE
            ),
        },
        loggers={"console": dg.colored_console_logger, "terminal": terminal_logger},
    )
    return ProjectDefinitions(definitions, profile, lake, source)


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster's tools load."""
    return project_definitions().definitions
