"""Measures that are no shares: macro F1, AUROC and calibration error, with percentile intervals over resampled texts.

Resampling is seeded, so that the same texts give the same intervals. Where nothing is wrong, resampling finds no spread:
an interval of a perfect value has no width, however few texts there are.
"""

from __future__ import annotations

import numpy as np

from safety_assets.intervals import CONFIDENCE, Estimate
from safety_assets.scoring.calibration import expected_calibration_error

__all__ = ["auroc", "calibration_error", "macro_f1"]

REPLICATES = 1_000
# Calibration is binned again for every replicate, one after the other.
BINNED_REPLICATES = 200
# Resampled counts held at one time.
CELLS = 4_000_000


def macro_f1(counts: np.ndarray, seed: int = 0) -> Estimate | None:
    """Mean F1 of the classes that occur, from (classes, classes + 1) counts; see ``measures.confusion``.

    None unless at least two classes occur: F1 of one class says nothing of telling classes apart.
    """
    total = int(counts.sum())
    present = counts.sum(1) > 0
    if present.sum() < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, REPLICATES)
    replicates = _f1(drawn.reshape(REPLICATES, *counts.shape))[:, present].mean(1)
    return _estimate(float(_f1(counts[None])[0, present].mean()), replicates)


def auroc(positive: np.ndarray, negative: np.ndarray, seed: int = 0) -> Estimate | None:
    """Probability that a positive ranks above a negative, ties counting half; None without both.

    Each side is resampled by itself, so that no replicate lacks one.
    """
    if not len(positive) or not len(negative):
        return None
    values, place = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    up, down = (
        np.bincount(part, minlength=len(values)) for part in (place[: len(positive)], place[len(positive) :])
    )
    generator, found = np.random.default_rng(seed), []
    step = max(1, CELLS // len(values))
    for first in range(0, REPLICATES, step):
        size = min(step, REPLICATES - first)
        found.append(
            _above(
                generator.multinomial(len(positive), up / len(positive), size),
                generator.multinomial(len(negative), down / len(negative), size),
            )
        )
    return _estimate(float(_above(up[None], down[None])[0]), np.concatenate(found))


def calibration_error(probabilities: np.ndarray, happened: np.ndarray, seed: int = 0) -> Estimate | None:
    """Expected calibration error; None without texts. Chance makes it larger, never smaller: see few texts with care."""
    if not len(probabilities):
        return None
    generator = np.random.default_rng(seed)
    replicates = []
    for _ in range(BINNED_REPLICATES):
        rows = generator.integers(0, len(probabilities), len(probabilities))
        replicates.append(expected_calibration_error(probabilities[rows], happened[rows]))
    return _estimate(expected_calibration_error(probabilities, happened), np.array(replicates))


def _f1(counts: np.ndarray) -> np.ndarray:
    """(n, classes) from (n, classes, classes + 1); 0 for a class that is neither there nor said."""
    classes = counts.shape[1]
    right = counts[:, range(classes), range(classes)]
    there, said = counts.sum(2), counts.sum(1)[:, :classes]
    return 2 * right / np.maximum(there + said, 1)


def _above(up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(n,) from (n, values) counts of positives and negatives at each value, ascending."""
    below = down.cumsum(1) - down
    return (up * (below + 0.5 * down)).sum(1) / (up.sum(1) * down.sum(1))


def _estimate(value: float, replicates: np.ndarray) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
