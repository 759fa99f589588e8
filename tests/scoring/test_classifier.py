"""The classifier: better than chance on what it never saw, calm about sensitive pages, the maximum over windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from safety_assets import sample_data
from safety_assets.scoring.classifier import SafetyClassifier, at_least, metrics_of, train_classifier
from safety_assets.scoring.weights import unpack

DOCUMENTS = Path(next(iter(sample_data.__path__))) / "documents"


@pytest.fixture(scope="module")
def sample_levels(encoder, classifier):
    """Intended and given level of half the sample's documents, none of which the classifier was trained on."""
    files = sorted(DOCUMENTS.glob("*.jsonl"))[::2]
    documents = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [document["text"] for document in documents]
    encoded = encoder.encode(texts)
    windows = classifier.score_windows(encoded.texts(texts), encoded.embeddings)
    given = np.zeros(len(texts), int)
    np.maximum.at(given, encoded.document, windows.levels)
    return np.array([document["level"] for document in documents]), given


def test_most_clearly_unsafe_documents_are_found(sample_levels):
    intended, given = sample_levels
    assert (given[intended >= 4] >= 3).mean() >= 0.7


def test_harmless_documents_are_mostly_left_alone(sample_levels):
    intended, given = sample_levels
    assert (given[intended == 0] >= 1).mean() <= 0.2
    assert (given[intended == 0] >= 3).mean() <= 0.1


def test_metrics_on_held_out_seeds_beat_chance(classifier, seed_examples):
    metrics = metrics_of(classifier, seed_examples.split("test"))
    assert metrics["macro_f1"] > 0.4
    assert metrics["auroc_ge3"] > 0.85
    assert 0 <= metrics["ece_ge3"] < 0.25


def test_training_is_deterministic(classifier, seed_examples):
    again = train_classifier(seed_examples, positive_weight=1.5)
    assert again.version == classifier.version
    assert again.to_bytes() == classifier.to_bytes()


def test_a_weight_on_unsafe_examples_finds_more_of_them(seed_examples, classifier):
    eager = train_classifier(seed_examples, positive_weight=20.0)
    test = seed_examples.split("test")
    reached = [
        at_least(model.score_windows(test.texts, test.embeddings).probabilities)[:, 1]
        for model in (classifier, eager)
    ]
    assert reached[1].mean() > reached[0].mean()


def test_it_survives_its_own_bytes(classifier, seed_examples):
    loaded = SafetyClassifier.from_bytes(classifier.to_bytes())
    part = seed_examples.split("test")
    before, after = (model.score_windows(part.texts, part.embeddings) for model in (classifier, loaded))
    assert loaded.version == classifier.version
    assert np.allclose(before.probabilities, after.probabilities, atol=5e-3)
    assert (before.levels == after.levels).mean() > 0.98
    assert len(classifier.to_bytes()) < 4_000_000


@pytest.mark.parametrize("data", [b"", b"not a head", b"PK\x03\x04broken"])
def test_other_bytes_are_refused_with_the_remedy(data):
    with pytest.raises(ValueError, match="materialise safety_classifier again"):
        unpack(data)


def test_a_level_without_examples_is_named(seed_examples):
    with pytest.raises(ValueError, match=r"level \[5\]"):
        train_classifier(seed_examples.part(seed_examples.scores < 5), positive_weight=1.0)


def test_no_window_has_no_score(classifier):
    assert len(classifier.score_windows([], np.zeros((0, 384), np.float32)).levels) == 0


def test_higher_levels_are_never_likelier_than_lower_ones(classifier, seed_examples):
    part = seed_examples.split("test")
    reached = at_least(classifier.score_windows(part.texts, part.embeddings).probabilities)
    assert (np.diff(reached, axis=1) <= 1e-6).all()
    assert np.allclose(reached[:, 0], 1, atol=1e-5)
