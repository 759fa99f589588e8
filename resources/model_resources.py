"""The profile's models as Dagster resources. Weights and servers are opened once per process and shared by its steps."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.encoders import encoders_home, named_encoder, open_profile_encoder
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

    def encoder(self, name: str | None = None) -> TextEncoder:
        """The profile's text encoder, or of this name one trained here from it; the first call loads it."""
        profile = self.profile().encoder
        return _encoder(named_encoder(profile, name, encoders_home()) if name else profile)


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
    return open_profile_encoder(profile, models_cache())
