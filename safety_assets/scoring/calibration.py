"""Votes as probabilities, and probabilities as levels.

Votes for "this level or above" become probabilities that are right as often as they say; how far they are from that
is measured by bins of documents with like probabilities. A level is given where its probability and those of the
levels below meet their thresholds: :func:`levels_of` decides that, everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from safety_assets.harms import LEVELS
from safety_assets.intervals import Estimate, wilson
from safety_assets.scoring.weights import sigmoid

__all__ = [
    "BENIGN_CAPS",
    "Calibration",
    "ReliabilityBin",
    "expected_calibration_error",
    "fit_calibration",
    "fit_thresholds",
    "in_order",
    "level_probabilities",
    "levels_of",
    "reached_probabilities",
    "reliability",
]

# The largest share of harmless documents that may be given a level or above: refusals are made from levels 4-5, and
# teach a model to refuse what is harmless where the level is wrong. They are made from both alike, so 5 needs no cap.
BENIGN_CAPS: Mapping[int, float] = {1: 0.10, 2: 0.05, 3: 0.025, 4: 0.01}
# How firmly a level's scale is held to that of all levels, and that to 1: precision of a normal prior of its logarithm.
HELD_TO_ALL = 4.0
HELD_TO_ONE = 1.0
# A scale of zero would lose the order of the documents; none is above one over this either.
LEAST_SCALE = 0.01
# Thresholds tried, evenly spaced in log-odds; the last is never met.
_TRIED = np.append(sigmoid(np.linspace(-5, 5, 81)), np.inf)
# Shares of a threshold and of its neighbours, to half a unit of log-odds away, in the F1 that it is chosen by.
_NEAR = np.hanning(11)[1:-1] / np.hanning(11).sum()
ROUNDS = 8
ROUNDING = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of each level: ``scale`` (5,), above zero, and ``offset`` (5,), of log-odds.

    Raises:
        ValueError: other shapes, or numbers that are none.
    """

    scale: np.ndarray
    offset: np.ndarray

    def __post_init__(self) -> None:
        size = (len(LEVELS) - 1,)
        if np.shape(self.scale) != size or np.shape(self.offset) != size:
            raise ValueError("A calibration has a scale and an offset for each of the levels 1-5.")
        if not (np.isfinite(self.scale).all() and np.isfinite(self.offset).all() and np.all(self.scale > 0)):
            raise ValueError("A calibration has finite offsets and finite scales above zero.")

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(n, 5) float64 P(level >= 1..5), never rising with the level, from (n, 5) log-odds; NaN stays NaN."""
        return in_order(sigmoid(np.asarray(logits, np.float64) * self.scale + self.offset))

    def to_header(self) -> dict[str, list[float]]:
        """Plain numbers, for a file's header."""
        return {"scale": [float(value) for value in self.scale], "offset": [float(v) for v in self.offset]}

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Calibration:
        """What :meth:`to_header` gave.

        Raises:
            ValueError: see :class:`Calibration`.
        """
        return cls(np.array(header["scale"], np.float64), np.array(header["offset"], np.float64))


@dataclass(frozen=True)
class ReliabilityBin:
    """Documents whose probabilities lie in ``low`` to ``high``: the mean one, and the share in which it happened."""

    low: float
    high: float
    documents: int
    predicted: float
    happened: Estimate


def fit_calibration(
    logits: np.ndarray, scores: np.ndarray, *, weights: np.ndarray | None = None
) -> Calibration:
    """Platt scaling on annotations that the votes were not learned from.

    A level's scale is held to that of all levels and its targets are kept off 0 and 1 (Platt 1999), so that a level
    with few examples, with none, or told apart without an error has finite, moderate numbers too.

    Args:
        logits: (n, 5) finite log-odds of levels 1-5 or above.
        scores: (n,) int levels 0-5.
        weights: (n,) documents that each stands for; 1 if not given.
    """
    logits = np.asarray(logits, np.float64)
    counts = np.ones(len(logits)) if weights is None else np.asarray(weights, np.float64)
    happened = np.asarray(scores)[:, None] >= np.array(LEVELS[1:])
    often, seldom = counts @ happened, counts @ ~happened
    targets = np.where(happened, (often + 1) / (often + 2), 1 / (seldom + 2))
    shared, _ = _platt(logits, targets, counts, 1.0, HELD_TO_ONE)
    fitted = [
        _platt(logits[:, [column]], targets[:, [column]], counts, shared, HELD_TO_ALL)
        for column in range(len(LEVELS) - 1)
    ]
    return Calibration(
        np.array([scale for scale, _ in fitted]), np.array([offsets[0] for _, offsets in fitted])
    )


def reliability(p: np.ndarray, happened: np.ndarray, bins: int = 10) -> list[ReliabilityBin]:
    """Equally wide bins of (n,) probabilities against what (n,) happened; bins without documents are left out.

    Raises:
        ValueError: probabilities outside 0-1.
    """
    p, happened = np.asarray(p, np.float64), np.asarray(happened, bool)
    # Sums of probabilities miss 0 and 1 by rounding.
    if not np.all((p > -ROUNDING) & (p < 1 + ROUNDING)):
        raise ValueError("Probabilities lie in 0-1.")
    p = p.clip(0, 1)
    place = np.minimum((p * bins).astype(int), bins - 1)
    found = []
    for index in np.unique(place).tolist():
        here = place == index
        share = wilson(int(happened[here].sum()), int(here.sum()))
        assert share is not None
        found.append(
            ReliabilityBin(index / bins, (index + 1) / bins, int(here.sum()), float(p[here].mean()), share)
        )
    return found


def expected_calibration_error(p: np.ndarray, happened: np.ndarray, bins: int = 10) -> float:
    """Mean distance over documents between their bin's mean probability and the share in which it happened, 0-1.

    Raises:
        ValueError: no documents, or probabilities outside 0-1.
    """
    found = reliability(p, happened, bins)
    if not found:
        raise ValueError("No documents to measure a calibration on.")
    gaps = [part.documents * abs(part.predicted - part.happened.value) for part in found]
    return float(sum(gaps) / len(p))


def in_order(probabilities: np.ndarray) -> np.ndarray:
    """(n, 5) P(level >= 1..5) that never rise with the level: where levels contradict, they meet in the middle."""
    lowered = np.minimum.accumulate(probabilities, axis=1)
    raised = np.maximum.accumulate(probabilities[:, ::-1], axis=1)[:, ::-1]
    return (lowered + raised) / 2


def level_probabilities(at_least: np.ndarray) -> np.ndarray:
    """(n, 6) P(level = 0..5) from (n, 5) P(level >= 1..5) that never rises with the level."""
    edge = np.ones((len(at_least), 1))
    return np.maximum(-np.diff(np.hstack([edge, at_least, 0 * edge]), axis=1), 0.0)


def reached_probabilities(levels: np.ndarray) -> np.ndarray:
    """(n, 5) P(level >= 1..5) from (n, 6) P(level = 0..5)."""
    return np.minimum(levels[:, :0:-1].cumsum(1)[:, ::-1], 1.0)


def levels_of(probabilities: np.ndarray, thresholds: Mapping[int, float]) -> np.ndarray:
    """(n,) int levels: the highest that with every level below it meets its threshold, by (n, 5) probabilities; else 0.

    A level without a threshold is never given, and does not stand in the way of a higher one. Thresholds of rare levels
    are low, so that without the lower ones a text of which little is sure would be given the highest.

    Raises:
        ValueError: probabilities that are no numbers, which would look safe.
    """
    if not np.isfinite(probabilities).all():
        raise ValueError("Documents without probabilities have no level; leave them out.")
    found = np.zeros(len(probabilities), int)
    met = np.ones(len(probabilities), bool)
    for level in sorted(thresholds):
        met &= probabilities[:, level - 1] >= thresholds[level]
        found[met] = level
    return found


def fit_thresholds(
    probabilities: np.ndarray,
    scores: np.ndarray,
    *,
    benign: np.ndarray | None = None,
    benign_caps: Mapping[int, float] = BENIGN_CAPS,
) -> dict[int, float]:
    """Thresholds of levels 1-5 with the best macro F1 over the annotated levels that keeps to the caps.

    One level is moved at a time, until none moves; F1 is averaged over neighbouring thresholds, as the best of many on
    few examples is luck. A level that is better not given has no threshold.

    Args:
        probabilities: (n, 5) P(level >= 1..5).
        scores: (n,) int levels 0-5.
        benign: (m, 5) P(level >= 1..5) of harmless documents, for the caps; those annotated 0 if not given.
        benign_caps: level to the largest share of harmless documents that may be given it or above.
    """
    harmless = probabilities[scores == 0] if benign is None else benign
    found = [
        _climbed(start, probabilities, np.asarray(scores), harmless, benign_caps) for start in (np.inf, 0.5)
    ]
    allowed = [chosen for chosen in found if _within(levels_of(harmless, chosen), benign_caps)]
    # The first start gives no level and so keeps to any cap; it moves only within them.
    return max(allowed, key=lambda chosen: _macro_f1(levels_of(probabilities, chosen), scores))


def _climbed(
    start: float,
    probabilities: np.ndarray,
    scores: np.ndarray,
    harmless: np.ndarray,
    caps: Mapping[int, float],
) -> dict[int, float]:
    """Thresholds of levels, moved one at a time from ``start``; a level that is better not given has none."""
    thresholds = _finite(dict.fromkeys(LEVELS[1:], start))
    for _ in range(ROUNDS):
        before = dict(thresholds)
        # The highest levels have the tightest caps and choose first.
        for level in reversed(LEVELS[1:]):
            tried = [_finite({**thresholds, level: float(least)}) for least in _TRIED]
            values = np.array([_macro_f1(levels_of(probabilities, chosen), scores) for chosen in tried])
            smooth = np.convolve(np.pad(values, len(_NEAR) // 2, mode="edge"), _NEAR, mode="valid")
            allowed = [_within(levels_of(harmless, chosen), caps) for chosen in tried]
            if any(allowed):
                # Of equally good ones the highest: fewer false alarms.
                best = np.where(allowed, smooth.round(9), -1.0)
                thresholds = tried[len(best) - 1 - int(best[::-1].argmax())]
        if thresholds == before:
            break
    return thresholds


def _finite(thresholds: Mapping[int, float]) -> dict[int, float]:
    """Without those that are never met, which would stand in the way of higher levels."""
    return {level: float(least) for level, least in sorted(thresholds.items()) if np.isfinite(least)}


def _within(levels: np.ndarray, caps: Mapping[int, float]) -> bool:
    """Whether harmless documents with these levels keep to the caps."""
    return all((levels >= level).sum() <= cap * len(levels) + 1e-9 for level, cap in caps.items())


def _macro_f1(levels: np.ndarray, scores: np.ndarray) -> float:
    """Mean F1 over the levels among ``scores``."""
    pairs = np.bincount(scores * len(LEVELS) + levels, minlength=len(LEVELS) ** 2).reshape(len(LEVELS), -1)
    right, there, said = pairs.diagonal(), pairs.sum(1), pairs.sum(0)
    present = there > 0
    return float((2 * right[present] / (there + said)[present]).mean()) if present.any() else 0.0


def _platt(
    logits: np.ndarray, targets: np.ndarray, weights: np.ndarray, centre: float, held: float
) -> tuple[float, np.ndarray]:
    """One scale, held to ``centre``, and an offset for each column, under which targets (n, columns) are likeliest."""
    from scipy.optimize import minimize

    def surprise(vector: np.ndarray) -> tuple[float, np.ndarray]:
        scale, away = np.exp(vector[0]), vector[0] - np.log(centre)
        found = logits * scale + vector[1:]
        wrong = weights[:, None] * (sigmoid(found) - targets)
        loss = float(weights @ (np.logaddexp(0, found) - targets * found).sum(1) + held / 2 * away**2)
        return loss, np.append(scale * (wrong * logits).sum() + held * away, wrong.sum(0))

    columns = logits.shape[1]
    fitted = minimize(
        surprise,
        np.append(np.log(centre), np.zeros(columns)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(np.log(LEAST_SCALE), -np.log(LEAST_SCALE))] + [(None, None)] * columns,
        options={"maxiter": 500},
    )
    return float(np.exp(fitted.x[0])), fitted.x[1:]
