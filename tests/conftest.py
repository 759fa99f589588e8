"""Fixtures that every test may use. Real models come from the prepared cache; nothing reaches a model hub."""

from __future__ import annotations

import os
from pathlib import Path

# Before any model library is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("SAFETY_SOURCE", None)
os.environ.pop("SAFETY_PROFILE", None)

import pytest

from resources.lake import Lake, LakeSettings, Provenance
from resources.model_store import LocalModel, prepare_packaged_models
from resources.profile import safety_home


@pytest.fixture
def lake(tmp_path: Path):
    """An empty lake of its own."""
    opened = Lake(LakeSettings(f"sqlite:{tmp_path}/lake/catalog.sqlite", f"{tmp_path}/lake/data"))
    yield opened
    opened.close()


@pytest.fixture
def written_by():
    """Makes provenance for a partition."""
    return lambda partition, asset="test": Provenance(asset, partition, "test-run")


@pytest.fixture(scope="session")
def packaged_models() -> dict[str, LocalModel]:
    """The two packaged models, prepared once into the project's own cache."""
    return {model.name: model for model in prepare_packaged_models(safety_home() / "models")}
