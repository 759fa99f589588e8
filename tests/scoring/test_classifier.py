"""The packaged classifier: it finds what is unsafe, is calm about sensitive pages, and survives its own bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import ModelStoreError
from safety_assets import sample_data
from safety_assets.scoring.classifier import DISCOUNTED_WINDOWS, SafetyClassifier, pool_windows
from safety_assets.scoring.metrics import metrics_of
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.weights import Linear, unpack

DOCUMENTS = Path(next(iter(sample_data.__path__))) / "documents"


@pytest.fixture(scope="module")
def sample_levels(reader):
    """Intended and given level of half the sample's documents."""
    files = sorted(DOCUMENTS.glob("*.jsonl"))[::2]
    documents = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    given = [found.level for found in reader.read([document["text"] for document in documents])]
    return np.array([document["level"] for document in documents]), np.array(given)


def test_most_clearly_unsafe_documents_are_found(sample_levels):
    intended, given = sample_levels
    assert (given[intended >= 4] >= 3).mean() >= 0.7


def test_harmless_documents_are_mostly_left_alone(sample_levels):
    intended, given = sample_levels
    assert (given[intended == 0] >= 1).mean() <= 0.2
    assert (given[intended == 0] >= 3).mean() <= 0.05


def test_metrics_on_held_out_seeds_beat_chance(reader, seed_examples):
    metrics = metrics_of(reader, seed_examples.split("test"))
    assert metrics["macro_f1"] > 0.4
    assert metrics["auroc_ge3"] > 0.9
    assert metrics["precision_ge3"] > 0.8
    assert metrics["category_accuracy"] > 0.4
    assert 0 <= metrics["ece_ge3"] < 0.25


def test_it_survives_its_own_bytes(encoder, classifier, reader, seed_examples):
    loaded = SafetyClassifier.from_bytes(classifier.to_bytes())
    texts = list(seed_examples.split("test").texts)[:60]
    before, after = reader.document_logits(texts), DocumentReader(encoder, loaded).document_logits(texts)
    assert loaded.version == classifier.version
    assert np.abs(before - after).max() < 1e-4


def test_the_version_tells_any_change(classifier):
    named = classifier.identified("a")
    assert named.identified("a").version == named.version
    moved = replace(classifier, thresholds={**classifier.thresholds, 3: 0.99})
    assert moved.identified("a").version != named.version


@pytest.mark.parametrize("data", [b"", b"not a head", b"PK\x03\x04broken"])
def test_other_bytes_are_refused_with_the_remedy(data):
    with pytest.raises(ValueError, match="materialise safety_classifier again"):
        unpack(data)


def test_no_window_has_no_vote(classifier, encoder):
    assert classifier.window_logits([], np.zeros((0, 4), np.float32)).shape == (0, 5)
    assert np.isnan(classifier.document_logits(np.zeros((0, 5)), np.zeros(0, int), 1)).all()


def test_higher_levels_are_never_likelier_than_lower_ones(reader, seed_examples):
    reached = reader.classifier.probabilities(reader.document_logits(list(seed_examples.split("test").texts)))
    assert (np.diff(reached, axis=1) <= 1e-6).all()


def test_class_probabilities_become_votes_of_each_level_or_above(classifier):
    six = replace(classifier, head=Linear(np.eye(6, dtype=np.float32), np.zeros(6, np.float32)), lexical=None)
    sure = np.log(np.array([[0.9, 0.02, 0.02, 0.02, 0.02, 0.02], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]]))
    votes = 1 / (1 + np.exp(-six.window_logits(["a", "b"], sure)))
    assert np.allclose(votes[0], [0.1, 0.08, 0.06, 0.04, 0.02], atol=1e-5)
    assert np.allclose(votes[1], [0.9, 0.8, 0.7, 0.6, 0.5], atol=1e-5)


VOTES = st.lists(st.floats(-9, 9), min_size=1, max_size=8)


def pooled(values, margin, discount=0.0):
    column = np.array(values, np.float64)[:, None]
    return float(pool_windows(column, np.zeros(len(values), int), 1, margin, discount)[0, 0])


@given(VOTES, VOTES, st.floats(0, 4), st.floats(0, 1))
def test_windows_around_a_bad_one_hide_no_more_than_margin_and_discount(votes, around, margin, discount):
    whole, alone = pooled([*around, *votes, *around], margin, discount), pooled(votes, margin, discount)
    most = margin + discount * np.log2(DISCOUNTED_WINDOWS / 2)
    assert alone - most - 1e-5 <= whole <= max(votes + around) + 1e-5
    assert alone <= max(votes) + 1e-5


def test_a_vote_falls_with_every_doubling_of_windows_up_to_an_end():
    bad, calm = [2.0, 2.0], -5.0
    found = [pooled([*bad, *[calm] * (windows - 2)], 1.0, 0.5) for windows in (2, 4, 8, 64, 4096)]
    assert found == pytest.approx([2.0, 1.5, 1.0, -0.5, -0.5])


def test_an_adapter_for_another_encoder_is_refused(encoder, classifier):
    wrong = replace(classifier.adapter, replaced={"no.such.parameter": np.zeros(1, np.float32)})
    with pytest.raises(ModelStoreError, match="does not fit this encoder"):
        encoder.adapted(wrong)
