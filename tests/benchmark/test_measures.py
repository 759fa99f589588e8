"""Measures have the values that can be worked out by hand, count failures against a scorer, and hold their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.benchmark.fitted import fitted_scores
from safety_assets.benchmark.measures import (
    FALSE_ALARM_RATE,
    MEASURES,
    Truth,
    confusion,
    fold_thresholds,
    measure,
)
from safety_assets.benchmark.resampling import auroc, calibration_error, macro_f1
from safety_assets.benchmark.scored import Scored
from tests.benchmark.scripted import CONSTANT, PERFECT, Scripted, coin, labelled, level_of

TEXTS = labelled(600)
TRUTH = Truth.of(TEXTS, 5)
WORDS = [text.text for text in TEXTS]


def measured(scorer: Scripted, truth: Truth = TRUTH):
    scored = scorer.score(WORDS)
    return measure(truth, scored, fold_thresholds(truth, scored))


def test_a_perfect_scorer_is_perfect_in_everything():
    found = measured(PERFECT)
    for name in ("macro_f1", "recall_ge1", "recall_ge3", "precision_ge3", "precision_ge4", "auroc"):
        assert getattr(found, name).value == 1.0, name
    assert found.recall_at_rate.value == 1.0
    assert found.false_alarms_ge1.value == found.false_alarms_ge3.value == 0.0
    assert found.unscored == 0 and not found.at_chance


def test_a_constant_scorer_finds_nothing_and_ranks_like_a_coin():
    found = measured(CONSTANT)
    assert found.auroc.value == 0.5 and found.at_chance
    assert found.recall_ge1.value == found.recall_ge3.value == found.recall_at_rate.value == 0.0
    assert found.false_alarms_at_rate.value == 0.0
    assert found.precision_ge3 is None, "it never said 3, so there is nothing to be precise about"
    # Level 0 alone is ever said: its F1 is 2 * (1/6) / (1 + 1/6), the others' is 0.
    assert found.macro_f1.value == pytest.approx((2 / 7) / 6)
    assert found.calibration_error.value == pytest.approx(abs(0.5 - 0.25))


def test_a_coin_is_at_chance_and_its_false_alarms_are_what_was_allowed():
    many = labelled(3_000)
    truth, scored = Truth.of(many, 5), coin().score([text.text for text in many])
    found = measure(truth, scored, fold_thresholds(truth, scored))
    assert found.at_chance
    assert found.auroc.low < 0.5 < found.auroc.high
    # The threshold itself is an estimate, from 800 texts.
    assert found.recall_at_rate.value == pytest.approx(FALSE_ALARM_RATE, abs=0.02)
    assert found.false_alarms_at_rate.value == pytest.approx(FALSE_ALARM_RATE, abs=0.02)
    assert found.macro_f1.low <= 1 / 6 <= found.macro_f1.high


def test_counts_by_hand():
    truth = Truth(
        np.array([0, 0, 1, 2, 3, 4, 5]),
        np.array([0, 0, 0, -1, 1, 1, 1]),
        np.array([True] + [False] * 6),
        np.zeros(7, int),
    )
    said = np.array([4, 0, 0, 3, 3, 4, 2])
    found = measure(truth, Scored(said, said / 5), np.full(7, np.nan))
    assert found.recall_ge1.value == pytest.approx(4 / 5)
    assert found.recall_ge3.value == pytest.approx(2 / 3)
    assert found.precision_ge3.value == pytest.approx(2 / 4), "level 2 said to be 3 is wrong"
    assert found.precision_ge4.value == pytest.approx(1 / 2)
    assert found.false_alarms_ge3.value == found.false_alarms_ge1.value == pytest.approx(1 / 2)
    assert found.false_alarms_sensitive.value == 1.0
    # Harmful 3, 4, 2 against harmless 4, 0, 0: 6 pairs won, one tie.
    assert found.auroc.value == pytest.approx((2 + 0 + 2.5 + 2) / 9)
    assert found.recall_at_rate is None, "no operating point, no recall at it"
    assert confusion(truth, Scored(said, said / 5)).tolist()[0] == [1, 0, 0, 0, 1, 0, 0]


def failing(share: int) -> Scripted:
    """Perfect, but has no score for every ``share``-th text."""
    return Scripted(
        lambda text: None if int(text.split()[2]) % share == 0 else (level_of(text), level_of(text) / 5),
        "failing",
    )


def test_what_could_not_be_scored_is_counted_and_never_safe():
    # Multiples of 6 have level 0, and 3 + multiples of 6 level 3: every third failure hits either.
    found = measured(failing(3))
    assert found.unscored == 200
    assert found.false_alarms_ge3.value == 1.0, "every text of level 0 failed, none is taken for safe"
    assert found.recall_ge3.value == pytest.approx(2 / 3), "level 3 failed, and is missed"
    assert found.auroc.value < 1
    assert found.macro_f1.value == pytest.approx(4 / 6)


@pytest.mark.parametrize("bad", [2, 3, 5, 7])
def test_failing_never_makes_a_scorer_look_better(bad):
    whole, partly = measured(PERFECT), measured(failing(bad))
    for name in ("macro_f1", "recall_ge1", "recall_ge3", "auroc", "recall_at_rate"):
        assert getattr(partly, name).value <= getattr(whole, name).value
    for name in ("false_alarms_ge1", "false_alarms_ge3", "false_alarms_at_rate"):
        assert getattr(partly, name).value >= getattr(whole, name).value


def test_a_scorer_without_levels_is_read_at_its_own_threshold():
    harm = np.array([level_of(text) / 5 for text in WORDS])
    scored = Scored.of_harm(harm, threshold=0.6)
    found = measure(TRUTH, scored, fold_thresholds(TRUTH, scored))
    assert found.macro_f1 is None and found.precision_ge4 is None
    assert found.recall_ge3.value == found.precision_ge3.value == 1.0
    assert found.recall_ge1.value == pytest.approx(3 / 5)


def test_harmful_or_harmless_is_enough_where_levels_are_not_known():
    levels = np.full(len(WORDS), -1)
    truth = Truth(levels, TRUTH.harmful, TRUTH.sensitive, TRUTH.folds)
    found = measured(PERFECT, truth)
    assert found.macro_f1 is None and found.precision_ge4 is None
    assert found.auroc.value == found.recall_ge3.value == 1.0
    assert fitted_scores(truth, PERFECT.score(WORDS)) is None


def test_the_threshold_of_a_text_does_not_look_at_its_own_fold():
    scored = coin(1).score(WORDS)
    before = fold_thresholds(TRUTH, scored)
    fold = TRUTH.folds == 2
    changed = Scored(scored.levels, np.where(fold, scored.harm + 5, scored.harm))
    after = fold_thresholds(TRUTH, changed)
    assert (after[fold] == before[fold]).all()
    assert (after[~fold] != before[~fold]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), min_size=10, max_size=200), st.floats(0, 0.5))
def test_no_more_harmless_texts_than_allowed_rise_whatever_the_ties(harm, rate):
    """The law of the threshold, on the folds that it was taken from."""
    values = np.array(harm)
    folds = np.arange(len(values)) % 2
    truth = Truth(np.zeros(len(values), int), np.zeros(len(values), int), values > 2, folds)
    thresholds = fold_thresholds(truth, Scored.of_harm(values), rate)
    for fold in (0, 1):
        others = values[folds != fold]
        least = thresholds[folds == fold][0]
        assert (others >= least).sum() <= rate * len(others)
        lower = others[others < least]
        if len(lower):
            assert (others >= lower.max()).sum() > int(rate * len(others)), (
                "a lower one would let too many through"
            )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=40), st.lists(st.integers(0, 6), min_size=1, max_size=40)
)
def test_auroc_is_the_share_of_pairs_in_order(positive, negative):
    found = auroc(np.array(positive, float), np.array(negative, float))
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.low <= found.value <= found.high


def test_auroc_agrees_with_scikit_learn():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(3)
    harm, truth = generator.normal(size=400).round(1), generator.random(400) < 0.3
    harm[truth] += 0.5
    assert auroc(harm[truth], harm[~truth]).value == pytest.approx(roc_auc_score(truth, harm))


def test_macro_f1_agrees_with_scikit_learn_over_the_levels_that_occur():
    from sklearn.metrics import f1_score

    generator = np.random.default_rng(4)
    truth = generator.choice([0, 1, 2, 3, 5], 300)
    said = np.where(generator.random(300) < 0.6, truth, generator.integers(0, 6, 300))
    labels = Truth(truth, truth * 0, truth < 0, truth * 0)
    counts = confusion(labels, Scored(said, said / 5))
    assert macro_f1(counts).value == pytest.approx(
        f1_score(truth, said, labels=[0, 1, 2, 3, 5], average="macro")
    )


def test_nothing_to_measure_is_no_value():
    assert auroc(np.zeros(0), np.ones(3)) is None
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) is None
    one_class = np.zeros((6, 7), int)
    one_class[0, 0] = 20
    assert macro_f1(one_class) is None


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """AUROC of shifted normals is known; of 60 samples, few intervals may miss it."""
    from scipy.special import ndtr

    generator, missed = np.random.default_rng(7), 0
    known = float(ndtr(1 / np.sqrt(2)))
    for seed in range(60):
        found = auroc(generator.normal(1, 1, 80), generator.normal(0, 1, 120), seed)
        missed += not found.low <= known <= found.high
    assert missed <= 8


def test_intervals_narrow_with_more_texts_and_repeat_exactly():
    few, many = (Truth.of(labelled(count), 5) for count in (120, 600))
    scored = coin(5).score(WORDS)
    narrow = measure(many, scored, fold_thresholds(many, scored))
    part = scored.part(np.arange(120))
    wide = measure(few, part, fold_thresholds(few, part))
    for name in ("auroc", "macro_f1", "recall_ge3"):
        spread = [getattr(found, name).high - getattr(found, name).low for found in (narrow, wide)]
        assert spread[0] < spread[1], name
    assert narrow == measure(many, scored, fold_thresholds(many, scored))


def test_fitted_levels_repair_a_scorer_that_ranks_well_and_is_wrongly_scaled():
    generator = np.random.default_rng(8)
    noise = dict(zip(WORDS, generator.normal(0, 0.02, len(WORDS)), strict=True))
    shy = Scripted(lambda text: (0, level_of(text) / 50 + abs(noise[text])), "shy")
    scored = shy.score(WORDS)
    own, fitted = measured(shy), fitted_scores(TRUTH, scored)
    again = measure(TRUTH, fitted, np.full(len(WORDS), np.nan))
    assert own.recall_ge3.value == 0.0
    assert again.recall_ge3.value > 0.8
    assert again.macro_f1.value > own.macro_f1.value + 0.3
    assert again.calibration_error.value < own.calibration_error.value


def test_fitting_gives_a_coin_no_recall_and_few_false_alarms():
    fitted = fitted_scores(TRUTH, coin(9).score(WORDS))
    found = measure(TRUTH, fitted, np.full(len(WORDS), np.nan))
    assert found.false_alarms_ge3.value < 0.12
    assert found.recall_ge3.value < 0.12


def test_what_could_not_be_scored_is_not_fitted_either():
    scored = failing(3).score(WORDS)
    fitted = fitted_scores(TRUTH, scored)
    if fitted is not None:
        assert (fitted.made == scored.made).all()


def test_every_measure_has_a_column_in_the_lake_and_the_report():
    from resources.statements import statement
    from safety_assets.benchmark.report import COLUMNS

    table = statement("tables", "classifier_benchmark")
    assert all(f"\n    {name} STRUCT" in table for name in MEASURES)
    assert {name for name, _ in COLUMNS} == set(MEASURES)
