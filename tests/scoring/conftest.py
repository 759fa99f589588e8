"""The real encoder, the packaged classifier and the packaged seeds, once for all tests of this folder."""

from __future__ import annotations

import pytest

from resources.encoder import open_encoder
from resources.profile import load_profile, safety_home
from safety_assets.annotation.seeds import seed_rows
from safety_assets.scoring.examples import examples_of
from safety_assets.scoring.packaged import packaged_classifier
from safety_assets.scoring.reading import DocumentReader


@pytest.fixture(scope="session")
def encoder(packaged_models):
    return open_encoder(load_profile("embedded").encoder, safety_home() / "models")


@pytest.fixture(scope="session")
def seed_examples():
    return examples_of(list(seed_rows()))


@pytest.fixture(scope="session")
def classifier():
    return packaged_classifier()


@pytest.fixture(scope="session")
def reader(encoder, classifier):
    return DocumentReader(encoder, classifier)
