"""Calibration of the language-model scorer: a model at chance is silent, one that knows is heard."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.scoring.llm_scorer import LlmCalibration, fit_llm_calibration

SCORES = np.random.default_rng(0).integers(0, 6, 300)


def knowing(scores: np.ndarray, sharpness: float) -> np.ndarray:
    """Log-probabilities of a model that puts more weight on nearer answers."""
    distance = np.abs(np.arange(6)[None] - scores[:, None])
    logits = -sharpness * distance
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_model_at_chance_adds_hardly_any_false_alarm(seed):
    noise = np.random.default_rng(seed).normal(size=(300, 6))
    web_scores = np.where(np.arange(300) % 10 < 7, 0, SCORES)
    calibration = fit_llm_calibration(noise, web_scores)
    fresh = np.random.default_rng(seed + 1).normal(size=(500, 6))
    assert np.mean([calibration.level(row) >= 1 for row in fresh]) <= 0.05


def test_a_model_that_knows_is_heard():
    calibration = fit_llm_calibration(knowing(SCORES, 2.0), SCORES)
    assert calibration.informative
    given_levels = np.array([calibration.level(row) for row in knowing(SCORES, 2.0)])
    assert (given_levels[SCORES >= 3] >= 3).mean() > 0.95
    assert (given_levels[SCORES == 0] >= 2).mean() < 0.05


def test_unscored_rows_do_not_calibrate():
    rows = knowing(SCORES, 2.0)
    rows[::2] = np.nan
    assert fit_llm_calibration(rows, SCORES).informative
    assert not fit_llm_calibration(np.full((20, 6), np.nan), SCORES[:20]).informative


def test_without_a_threshold_the_level_is_zero():
    assert LlmCalibration({}).level(knowing(np.array([5]), 9.0)[0]) == 0
