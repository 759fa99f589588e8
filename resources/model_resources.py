"""The profile's models as Dagster resources. Weights and servers are opened once per process and shared by its steps."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.language_model import LanguageModel
from resources.profile import EncoderProfile, LanguageModelProfile, Profile, load_profile, safety_home

if TYPE_CHECKING:
    from resources.encoder import TextEncoder

__all__ = ["ModelsResource", "models_cache"]


def models_cache() -> Path:
    """Folder of prepared packaged models."""
    return safety_home() / "models"


class ModelsResource(dg.ConfigurableResource):
    """The language model and the text encoder of a profile."""

    profile_name: str = Field(
        description="Packaged profile (embedded, single_gpu, cluster) or path to a YAML file."
    )

    def profile(self) -> Profile:
        """The profile's settings, read once per process."""
        return _profile(self.profile_name)

    def language_model(self) -> LanguageModel:
        """The language model; the first call loads it, or starts its server."""
        return _language_model(self.profile().language_model)

    def encoder(self) -> TextEncoder:
        """The text encoder; the first call loads it."""
        return _encoder(self.profile().encoder)


@lru_cache(maxsize=4)
def _profile(name: str) -> Profile:
    return load_profile(name)


# torch and the model libraries are imported on first use, so that loading the definitions stays quick.
@lru_cache(maxsize=2)
def _language_model(profile: LanguageModelProfile) -> LanguageModel:
    from resources.language_models import open_language_model

    return open_language_model(profile, models_cache=models_cache())


@lru_cache(maxsize=2)
def _encoder(profile: EncoderProfile) -> TextEncoder:
    from resources.encoder import open_encoder

    return open_encoder(profile, models_cache())
