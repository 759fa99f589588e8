"""The combination of two scorers: one at chance changes nothing, one that knows is heard, and comparisons are honest."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safety_assets.scoring.calibration import fit_calibration, fit_thresholds
from safety_assets.scoring.ensemble import (
    Combination,
    Opinions,
    compare_ensembles,
    fit_combination,
    maximum,
)
from safety_assets.scoring.weights import sigmoid, softmax

SEEDS = st.integers(0, 10_000)


def world(seed: int, documents: int, noises: tuple[float, float]):
    """Levels (n,) as common as on the web, and two scorers' votes (n, 5), the noisier the less they know."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=documents) * 1.5 - 1
    scores = np.clip(np.floor(2.5 * np.maximum(truth + 0.3 * random.normal(size=documents), 0)), 0, 5)
    votes = [
        3 * ((truth + noise * random.normal(size=documents))[:, None] - np.arange(5) / 2.5)
        for noise in noises
    ]
    return scores.astype(int), *votes


def at_chance(seed: int, documents: int) -> np.ndarray:
    """(n, 5) P(level >= 1..5) of a model that says six digits without reading."""
    classes = softmax(np.random.default_rng(seed).normal(size=(documents, 6)) * 1.5)
    return classes[:, :0:-1].cumsum(1)[:, ::-1]


def opinions(votes: np.ndarray, calibrated_on: tuple[np.ndarray, np.ndarray]) -> Opinions:
    known_votes, known_scores = calibrated_on
    calibration = fit_calibration(known_votes, known_scores)
    thresholds = fit_thresholds(calibration.probabilities(known_votes), known_scores)
    return Opinions(calibration.probabilities(votes), thresholds)


@pytest.fixture(scope="module")
def two_that_know():
    """Levels of 1,200 documents and what two equally good scorers say, both calibrated on others."""
    known, one, other = world(1, 800, (0.8, 0.8))
    scores, first, second = world(2, 1_200, (0.8, 0.8))
    return scores, opinions(first, (one, known)), opinions(second, (other, known))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
# Here the held-out gain is three standard errors, of next to nothing.
@example(160)
def test_a_second_scorer_at_chance_adds_no_false_alarm(seed):
    scores, votes, _ = world(seed, 579, (0.8, 0.8))
    first = opinions(votes, (votes, scores))
    noise = Opinions(at_chance(seed, 579), {level: 0.5 for level in range(1, 6)})
    combination = fit_combination(first, noise, scores)
    fresh, fresh_votes, _ = world(seed + 1, 2_000, (0.8, 0.8))
    alone = opinions(fresh_votes, (votes, scores))
    together = combination.opinions(alone, Opinions(at_chance(seed + 1, 2_000), noise.thresholds))
    safe = fresh == 0
    for level in range(1, 6):
        added = (together.levels[safe] >= level).mean() - (alone.levels[safe] >= level).mean()
        # By far most fits reject it, and then nothing changes at all; one accepted by luck weighs next to nothing.
        assert added == 0 if not combination.informative else added <= 0.01


def test_scorers_at_chance_are_rejected_in_all_but_rare_fits():
    accepted = 0
    for seed in range(25):
        scores, votes, _ = world(seed, 400, (0.8, 0.8))
        first = Opinions(fit_calibration(votes, scores).probabilities(votes), {1: 0.5})
        accepted += fit_combination(first, Opinions(at_chance(seed, 400), {}), scores).informative
    assert accepted <= 1


def test_without_help_the_first_scorer_is_left_exactly_as_it_is():
    scores, votes, _ = world(3, 300, (0.8, 0.8))
    first = opinions(votes, (votes, scores))
    copy = fit_combination(first, first, scores)
    together = copy.opinions(first, first)
    assert not copy.informative
    assert (together.probabilities == first.probabilities).all()
    assert (together.levels == first.levels).all()


def test_a_second_scorer_that_knows_is_heard_and_helps(two_that_know):
    scores, first, second = two_that_know
    combination = fit_combination(first, second, scores)
    assert combination.informative
    assert combination.gain > 2 * combination.gain_error > 0
    embedding, language, highest, together = compare_ensembles(first, second, scores)
    assert together.auroc > max(embedding.auroc, language.auroc)
    assert together.macro_f1 > max(embedding.macro_f1, language.macro_f1)
    assert highest.recall_ge3.value >= max(embedding.recall_ge3.value, language.recall_ge3.value)
    # The maximum buys its recall with the false alarms of both; the combination does not.
    assert together.false_alarms.value < highest.false_alarms.value
    assert highest.false_alarms.value >= max(embedding.false_alarms.value, language.false_alarms.value)


def test_more_harm_seen_by_either_never_lowers_the_combined_probability(two_that_know):
    scores, first, second = two_that_know
    combination = fit_combination(first, second, scores)
    one, other = first.probabilities[:200], second.probabilities[:200]
    before = combination.probabilities(one, other)
    assert (np.diff(before, axis=1) <= 0).all()
    assert (combination.probabilities((1 + one) / 2, other) >= before - 1e-12).all()
    assert (combination.probabilities(one, (1 + other) / 2) >= before - 1e-12).all()


def test_a_document_that_either_could_not_score_has_no_level(two_that_know):
    scores, first, second = two_that_know
    missing = second.probabilities.copy()
    missing[7] = np.nan
    gaps = Opinions(missing, second.thresholds)
    for combination in (fit_combination(first, gaps, scores), fit_combination(first, first, scores)):
        together = combination.opinions(first, gaps)
        assert (~together.scored).nonzero()[0].tolist() == [7]
        with pytest.raises(ValueError, match="no level"):
            _ = together.levels
    assert all(row.documents == len(scores) - 1 for row in compare_ensembles(first, gaps, scores))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_maximum_is_the_higher_of_both(seed):
    random = np.random.default_rng(seed)
    one, other = (Opinions(-np.sort(-random.random((20, 5)), axis=1), {1: 0.4, 3: 0.6}) for _ in range(2))
    pairs = zip(one.levels.tolist(), other.levels.tolist(), strict=True)
    assert maximum(one, other).tolist() == [max(pair) for pair in pairs]


def test_too_few_examples_leave_the_first_scorer_alone():
    scores, votes, others = world(5, 60, (0.8, 0.1))
    scores = np.minimum(scores, 2)
    first, second = (Opinions(sigmoid(each), {1: 0.5}) for each in (votes, others))
    combination = fit_combination(first, second, scores)
    assert not combination.informative
    assert combination.gain is None


def test_a_combination_survives_its_header(two_that_know):
    scores, first, second = two_that_know
    combination = fit_combination(first, second, scores)
    again = Combination.from_header(json.loads(json.dumps(combination.to_header())))
    one, other = first.part(np.arange(50)), second.part(np.arange(50))
    assert (again.opinions(one, other).levels == combination.opinions(one, other).levels).all()
    assert again.gain == combination.gain


def test_a_combination_fitted_elsewhere_is_compared_as_it_is(two_that_know):
    scores, first, second = two_that_know
    half = np.arange(len(scores)) < 600
    fitted = fit_combination(first.part(half), second.part(half), scores[half])
    rest = (first.part(~half), second.part(~half))
    row = compare_ensembles(*rest, scores[~half], combination=fitted)[-1]
    said = fitted.opinions(*rest).levels
    assert row.name == "calibrated"
    assert row.recall_ge3.value == pytest.approx((said[scores[~half] >= 3] >= 3).mean())
    assert row.false_alarms.value == pytest.approx((said[scores[~half] == 0] >= 1).mean())
    assert row.precision_ge4.value == pytest.approx((scores[~half][said >= 4] >= 4).mean())


def test_nothing_to_compare_gives_no_rows_and_nothing_harmful_no_recall():
    none = Opinions(np.zeros((0, 5)), {})
    assert compare_ensembles(none, none, np.zeros(0, int)) == ()
    safe = Opinions(np.full((20, 5), 0.1), {1: 0.5})
    for row in compare_ensembles(safe, safe, np.zeros(20, int)):
        assert (row.recall_ge1, row.precision_ge3, row.auroc) == (None, None, None)
        assert row.false_alarms.value == 0
