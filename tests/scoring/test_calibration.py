"""Laws of calibration and thresholds: probabilities mean what they say, and caps on false alarms hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from safety_assets.scoring.calibration import (
    Calibration,
    expected_calibration_error,
    fit_calibration,
    fit_thresholds,
    level_probabilities,
    levels_of,
    reached_probabilities,
    reliability,
)
from safety_assets.scoring.weights import sigmoid, softmax

LEVELS = np.arange(1, 6)
LOGITS = arrays(np.float64, st.tuples(st.integers(1, 40), st.just(5)), elements=st.floats(-50, 50))
SCALES = arrays(np.float64, 5, elements=st.floats(0.01, 20))
OFFSETS = arrays(np.float64, 5, elements=st.floats(-20, 20))
# A few values are common in practice (short texts, rounded votes), and make ties.
SHARES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
PROBABILITIES = arrays(np.float64, array_shapes(min_dims=1, max_dims=1, max_side=60), elements=SHARES)
THRESHOLDS = st.dictionaries(st.integers(1, 5), st.floats(0.01, 1), max_size=5)


def web(seed: int, documents: int = 600, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Votes (n, 5), too sure of themselves, and levels (n,), most of them 0, of an informative scorer."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=documents) * 1.5 - 1
    scores = np.clip(np.floor(2 * np.maximum(truth + 0.7 * random.normal(size=documents), 0)), 0, 5)
    return sharpness * 3 * (truth[:, None] - np.arange(5) / 2), scores.astype(int)


def falling(probabilities: np.ndarray) -> np.ndarray:
    """Rows that never rise."""
    return -np.sort(-probabilities, axis=1)


@given(LOGITS, SCALES, OFFSETS)
def test_probabilities_never_rise_with_the_level(logits, scale, offset):
    found = Calibration(scale, offset).probabilities(logits)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found, axis=1) <= 0).all()


@given(LOGITS, SCALES, OFFSETS)
def test_votes_in_order_are_left_as_they_are(logits, scale, offset):
    ordered = falling(logits * scale + offset)
    assert Calibration(scale, offset).probabilities((ordered - offset) / scale) == pytest.approx(
        sigmoid(ordered), abs=1e-9
    )


@given(LOGITS, SCALES, OFFSETS)
def test_a_calibration_survives_its_header(logits, scale, offset):
    calibration = Calibration(scale, offset)
    again = Calibration.from_header(json.loads(json.dumps(calibration.to_header())))
    assert (again.probabilities(logits) == calibration.probabilities(logits)).all()


@pytest.mark.parametrize("wrong", [np.ones(4), np.full(5, np.nan), np.zeros(5), -np.ones(5)])
def test_a_calibration_that_could_not_be_meant_is_refused(wrong):
    with pytest.raises(ValueError, match="calibration has"):
        Calibration(wrong, np.zeros(5))


def test_a_document_without_votes_has_no_probability():
    votes = np.full((1, 5), np.nan)
    assert np.isnan(Calibration(np.ones(5), np.zeros(5)).probabilities(votes)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 5))
def test_calibration_holds_on_documents_it_has_not_seen(seed, sharpness):
    calibration = fit_calibration(*web(seed, sharpness=sharpness))
    votes, scores = web(seed + 1, 3_000, sharpness)
    probabilities = calibration.probabilities(votes)
    for level in LEVELS:
        error = expected_calibration_error(probabilities[:, level - 1], scores >= level)
        assert error < 0.05
    raw = expected_calibration_error(sigmoid(votes[:, 0]), scores >= 1)
    assert expected_calibration_error(probabilities[:, 0], scores >= 1) < max(raw, 0.03)


def test_the_same_annotations_give_the_same_calibration():
    first, second = (fit_calibration(*web(3)).to_header() for _ in range(2))
    assert first == second


def test_an_annotation_of_weight_two_counts_as_two():
    votes, scores = web(5, 200)
    weights = np.where(scores >= 3, 2.0, 1.0)
    twice = np.append(np.arange(200), np.flatnonzero(scores >= 3))
    weighted = fit_calibration(votes, scores, weights=weights)
    repeated = fit_calibration(votes[twice], scores[twice])
    assert weighted.scale == pytest.approx(repeated.scale, rel=1e-3)
    assert weighted.offset == pytest.approx(repeated.offset, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("positives", [0, 1, 3])
def test_few_examples_of_a_level_give_small_probabilities_in_order(positives):
    votes, scores = web(7)
    scores = np.minimum(scores, 4)
    scores[np.argsort(votes[:, 4])[-positives:] if positives else []] = 5
    highest = fit_calibration(votes, scores).probabilities(votes)[:, 4]
    assert np.isfinite(highest).all()
    assert highest.mean() < 0.02
    order = np.argsort(votes[:, 4])
    assert (np.diff(highest[order]) >= 0).all()


def test_perfect_separation_stays_moderate():
    scores = np.repeat(np.arange(6), 100)
    votes = np.where(scores[:, None] >= LEVELS, 10.0, -10.0)
    calibration = fit_calibration(votes, scores)
    probabilities = calibration.probabilities(votes)
    assert (calibration.scale < 2).all()
    assert probabilities.min() > 1e-3
    assert probabilities.max() < 0.9999
    assert (levels_of(probabilities, dict.fromkeys(range(1, 6), 0.5)) == scores).all()


def test_a_scorer_at_chance_says_how_common_a_level_is():
    _, scores = web(9, 3_000)
    noise = np.random.default_rng(9).normal(size=(3_000, 5)) * 4
    probabilities = fit_calibration(noise, scores).probabilities(noise)
    common = (scores[:, None] >= LEVELS).mean(0)
    assert probabilities == pytest.approx(np.broadcast_to(common, probabilities.shape), abs=0.12)


def test_nothing_to_fit_changes_nothing():
    found = fit_calibration(np.zeros((0, 5)), np.zeros(0, int))
    assert (found.scale == 1).all()
    assert (found.offset == 0).all()


@given(st.integers(1, 500), st.data(), st.integers(1, 30))
def test_a_constant_that_is_right_has_no_calibration_error(documents, data, bins):
    positives = data.draw(st.integers(0, documents))
    happened = np.arange(documents) < positives
    constant = np.full(documents, positives / documents)
    assert expected_calibration_error(constant, happened, bins) == pytest.approx(0, abs=1e-12)


@given(PROBABILITIES, st.data(), st.integers(1, 20))
def test_calibration_error_is_a_share_and_blind_to_order(p, data, bins):
    happened = data.draw(arrays(bool, len(p)))
    error = expected_calibration_error(p, happened, bins)
    assert 0 <= error <= 1
    assert expected_calibration_error(p[::-1], happened[::-1], bins) == pytest.approx(error)
    # Merging all bins can only hide errors.
    assert error >= abs(p.mean() - happened.mean()) - 1e-12


@given(PROBABILITIES, st.data())
def test_every_document_is_in_the_bin_of_its_probability(p, data):
    found = reliability(p, data.draw(arrays(bool, len(p))))
    assert sum(part.documents for part in found) == len(p)
    assert all(part.low - 1e-9 <= part.predicted <= part.high + 1e-9 for part in found)
    assert all(part.happened.low <= part.happened.value <= part.happened.high for part in found)


def test_calibration_error_of_known_bins():
    p = np.array([0.05, 0.05, 0.95, 0.95])
    assert expected_calibration_error(p, np.array([False, True, True, True])) == pytest.approx(
        (2 * 0.45 + 2 * 0.05) / 4
    )


def test_rounding_is_no_error_but_numbers_that_are_no_probabilities_are():
    assert expected_calibration_error(np.array([1 + 1e-7]), np.array([True])) == pytest.approx(0, abs=1e-6)
    for wrong in (1.1, -0.1, np.nan):
        with pytest.raises(ValueError, match="0-1"):
            expected_calibration_error(np.array([wrong]), np.array([True]))
    with pytest.raises(ValueError, match="No documents"):
        expected_calibration_error(np.zeros(0), np.zeros(0))


@given(LOGITS)
def test_levels_and_reached_levels_are_two_ways_to_say_the_same(logits):
    reached = falling(sigmoid(logits))
    levels = level_probabilities(reached)
    assert levels.shape == (len(logits), 6)
    assert (levels >= 0).all()
    assert levels.sum(1) == pytest.approx(1)
    assert reached_probabilities(levels) == pytest.approx(reached, abs=1e-12)


@given(LOGITS, THRESHOLDS)
def test_a_level_is_the_highest_that_meets_its_threshold_with_all_below(logits, thresholds):
    probabilities = falling(sigmoid(logits))
    found = levels_of(probabilities, thresholds)
    for row, level in zip(probabilities, found.tolist(), strict=True):
        missed = [known for known, least in thresholds.items() if row[known - 1] < least]
        given = [known for known in thresholds if known < min(missed, default=6)]
        assert level == max(given, default=0)


@given(LOGITS, THRESHOLDS)
def test_levels_taken_as_certain_are_the_levels_again(logits, thresholds):
    found = levels_of(falling(sigmoid(logits)), thresholds)
    certain = (found[:, None] >= LEVELS).astype(float)
    assert (levels_of(certain, thresholds) == found).all()


@given(LOGITS, THRESHOLDS, st.floats(0, 1))
def test_more_probability_never_lowers_a_level(logits, thresholds, share):
    probabilities = falling(sigmoid(logits))
    raised = probabilities + share * (1 - probabilities)
    assert (levels_of(raised, thresholds) >= levels_of(probabilities, thresholds)).all()


def test_a_document_without_probabilities_is_not_safe_but_an_error():
    with pytest.raises(ValueError, match="no level"):
        levels_of(np.array([[0.5, np.nan, 0.1, 0.1, 0.1]]), {1: 0.5})


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.fixed_dictionaries({level: st.floats(0, 0.3) for level in range(1, 6)}),
    st.booleans(),
)
def test_caps_on_harmless_documents_hold(seed, caps, apart):
    votes, scores = web(seed, 300)
    calibration = fit_calibration(votes, scores)
    probabilities = calibration.probabilities(votes)
    benign = calibration.probabilities(web(seed + 1, 200)[0] - 2) if apart else None
    thresholds = fit_thresholds(probabilities, scores, benign=benign, benign_caps=caps)
    given_to = levels_of(probabilities[scores == 0] if benign is None else benign, thresholds)
    for level, cap in caps.items():
        assert (given_to >= level).mean() <= cap + 1e-9


def test_thresholds_beat_one_half_on_documents_they_were_not_chosen_on():
    from sklearn.metrics import f1_score

    gains = []
    for seed in range(5):
        votes, scores = web(seed)
        calibration = fit_calibration(votes, scores)
        thresholds = fit_thresholds(calibration.probabilities(votes), scores, benign_caps={1: 0.2})
        unseen, truth = web(seed + 1_000, 3_000)
        chosen, plain = (
            f1_score(truth, levels_of(calibration.probabilities(unseen), limits), average="macro")
            for limits in (thresholds, dict.fromkeys(range(1, 6), 0.5))
        )
        gains.append(chosen - plain)
    assert np.mean(gains) > 0.01


def test_a_tighter_cap_costs_recall_and_no_cap_gives_the_most():
    votes, scores = web(13, 1_000)
    probabilities = fit_calibration(votes, scores).probabilities(votes)
    recalls = []
    for cap in (0.0, 0.02, 0.2):
        levels = levels_of(probabilities, fit_thresholds(probabilities, scores, benign_caps={1: cap}))
        recalls.append((levels[scores >= 1] >= 1).mean())
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1]


def test_a_level_nobody_was_annotated_with_is_never_given():
    votes, scores = web(15)
    scores = np.minimum(scores, 3)
    probabilities = fit_calibration(votes, scores).probabilities(votes)
    thresholds = fit_thresholds(probabilities, scores)
    assert set(thresholds) <= {1, 2, 3}


def test_a_scorer_that_knows_its_levels_is_believed():
    scores = np.repeat(np.arange(6), 50)
    random = np.random.default_rng(0)
    classes = softmax(6 * np.eye(6)[scores] + random.normal(size=(300, 6)))
    probabilities = reached_probabilities(classes)
    levels = levels_of(probabilities, fit_thresholds(probabilities, scores))
    assert (levels == scores).mean() > 0.95
