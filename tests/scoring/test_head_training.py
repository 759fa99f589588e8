"""Training the head: annotations move it as far as held-out ones agree, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from safety_assets.scoring.examples import Examples
from safety_assets.scoring.head_training import retrain_head, train_head, uncalibrated, with_categories
from safety_assets.scoring.metrics import metrics_of
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.weights import Linear

BEES = [
    f"{opening} {subject} {place}."
    for opening in (
        "Today we looked after",
        "A note about",
        "My uncle told us of",
        "They wrote at length about",
    )
    for subject in ("the bees", "two beehives", "honeybees and wax", "the beekeeper's smoker")
    for place in ("in the orchard", "behind the church", "on the allotment", "near the mill", "at the school")
]
TREES = [
    f"{opening} {subject} {place}."
    for opening in (
        "Today we looked after",
        "A note about",
        "My uncle told us of",
        "They wrote at length about",
    )
    for subject in ("the oaks", "two young maples", "limes and elms", "the forester's saw")
    for place in ("in the orchard", "behind the church", "on the allotment", "near the mill", "at the school")
]


def examples(texts, scores, *, seeds=False) -> Examples:
    splits = np.array(
        [("train", "train", "calibration", "test")[index % 4] for index in range(len(texts))], object
    )
    return Examples(
        texts,
        np.array(scores),
        np.array(["hate" if score else "none" for score in scores], object),
        splits,
        np.full(len(texts), seeds),
    )


def test_without_labels_of_ones_own_the_packaged_head_stays(encoder, classifier, seed_examples):
    assert retrain_head(classifier, encoder, seed_examples, 1.5) is classifier


def test_a_level_that_no_label_reaches_keeps_its_threshold(encoder, classifier):
    house = examples([*BEES, *TREES], [3] * len(BEES) + [0] * len(TREES))
    moved = retrain_head(classifier, encoder, house, 1.5)
    assert moved is not classifier
    assert {level: moved.thresholds[level] for level in (4, 5)} == {
        level: classifier.thresholds[level] for level in (4, 5)
    }


def test_a_house_rule_is_learned_from_labels(encoder, classifier):
    """Whoever labels pages on bees 4 gets a classifier that gives pages on bees a high score, and trees none."""
    house = examples([*BEES, *TREES], [4] * len(BEES) + [0] * len(TREES))
    moved = retrain_head(classifier, encoder, house, 1.5)
    reader, before = DocumentReader(encoder, moved), DocumentReader(encoder, classifier)
    test = house.split("test")
    assert max(read.level for read in before.read(test.texts)) <= 1
    assert metrics_of(reader, test)["auroc_ge3"] > 0.95
    levels = np.array([read.level for read in reader.read(test.texts)])
    assert (levels[test.scores == 4] >= 3).mean() > 0.8
    assert (levels[test.scores == 0] >= 3).mean() < 0.1


def test_labels_without_sense_do_not_undo_what_it_knows(encoder, classifier, seed_examples):
    rng = np.random.default_rng(0)
    nonsense = examples([*BEES, *TREES], rng.integers(0, 6, len(BEES) + len(TREES)).tolist())
    moved = retrain_head(classifier, encoder, nonsense, 1.5)
    held_out = seed_examples.split("test")
    auroc = [
        metrics_of(DocumentReader(encoder, model), held_out)["auroc_ge3"] for model in (classifier, moved)
    ]
    assert auroc[1] > auroc[0] - 0.05


@pytest.fixture(scope="module")
def learned(encoder, classifier, seed_examples):
    """A head over the bare encoder, of the seeds alone."""
    return train_head(encoder, classifier, seed_examples, 1.0)


def test_a_head_is_learned_from_nothing_for_another_encoder(encoder, learned, seed_examples):
    assert learned.adapter is None
    metrics = metrics_of(DocumentReader(encoder, learned), seed_examples.split("test"))
    assert metrics["auroc_ge3"] > 0.85
    assert metrics["category_accuracy"] > 0.4


def test_the_same_examples_give_the_same_head(encoder, classifier, seed_examples):
    some = seed_examples.part(np.arange(len(seed_examples)) % 4 == 0)
    first, again = (train_head(encoder, classifier, some, 1.5).identified("x").version for _ in range(2))
    assert first == again


def test_a_weight_on_unsafe_examples_finds_more_of_them(encoder, classifier, learned, seed_examples):
    eager = train_head(encoder, classifier, seed_examples, 20.0)
    texts = list(seed_examples.split("test").texts)
    votes = [DocumentReader(encoder, model).document_logits(texts)[:, 0].mean() for model in (learned, eager)]
    assert votes[1] > votes[0]


def test_a_level_without_examples_is_named(encoder, classifier, seed_examples):
    with pytest.raises(ValueError, match=r"level \[5\]"):
        train_head(encoder, classifier, seed_examples.part(seed_examples.scores < 5), 1.0)


def test_two_categories_are_told_apart(encoder, classifier):
    house = examples([*BEES, *TREES], [4] * (len(BEES) + len(TREES)))
    house.categories[len(BEES) :] = "privacy"
    nothing = Linear(np.zeros((5, encoder.dimension), np.float32), np.zeros(5, np.float32))
    start = uncalibrated(nothing, classifier, encoder.dimension, 128)
    named = with_categories(start, DocumentReader(encoder, start), house.split("train"))
    assert named.categories == ("hate", "privacy")
    test = house.split("test")
    read = DocumentReader(encoder, named).votes(list(test.texts))
    said, probability = named.categorise(read.encoded.embeddings)
    assert (np.array(said) == test.categories).mean() > 0.9
    assert (probability >= 0.5).all() and (probability < 1).all()


def test_with_one_category_and_few_labels_to_calibrate_on_it_claims_nothing(
    encoder, classifier, seed_examples
):
    few = seed_examples.part((seed_examples.splits == "train") | (seed_examples.scores < 3))
    few.categories[few.scores > 0] = "hate"
    learned = train_head(encoder, classifier, few, 1.0)
    assert learned.categories == ("other",)
    # Those of the packaged classifier are of other votes.
    assert learned.thresholds == dict.fromkeys(range(1, 6), 0.5)
    assert (learned.calibration.scale == 1).all()
