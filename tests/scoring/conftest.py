"""The real encoder, and a classifier trained on the packaged seeds, once for all tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest

from resources.encoder import open_encoder
from resources.profile import load_profile, safety_home
from safety_assets.sample_data.sample import load_seeds
from safety_assets.scoring.classifier import Examples, train_classifier


@pytest.fixture(scope="session")
def encoder(packaged_models):
    return open_encoder(load_profile("embedded").encoder, safety_home() / "models")


@pytest.fixture(scope="session")
def seed_examples(encoder):
    seeds = load_seeds()
    texts = [seed.text for seed in seeds]
    encoded = encoder.encode(texts)
    embeddings = np.stack([encoded.embeddings[encoded.document == index][0] for index in range(len(texts))])
    return Examples(
        texts=texts,
        embeddings=embeddings,
        scores=np.array([seed.score for seed in seeds]),
        categories=np.array([seed.category.value for seed in seeds]),
        splits=np.array([seed.split.value for seed in seeds]),
    )


@pytest.fixture(scope="session")
def classifier(seed_examples):
    return train_classifier(seed_examples, positive_weight=1.5)
