"""Where to draw the line: what each threshold finds, what it gets wrong, and the one that a recall target asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from safety_assets.intervals import wilson

__all__ = ["Choice", "OperatingPoint", "Share", "operating_point", "sweep", "thinned"]


@dataclass(frozen=True)
class Share:
    """A share in 0-1. ``low`` and ``high`` are its 95 % interval, None where documents are weighted."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class OperatingPoint:
    """What flagging every document whose probability is ``threshold`` or more does.

    Attributes:
        flagged: share of all documents that are flagged.
        recall: share of the harmful that are flagged; None without any.
        precision: share of the flagged that are harmful; None where those flagged weigh nothing.
        false_alarms: share of the harmless that are flagged; None without any.
    """

    threshold: float
    flagged: Share
    recall: Share | None
    precision: Share | None
    false_alarms: Share | None


@dataclass(frozen=True)
class Choice:
    """The operating point for a recall target, or why there is none."""

    target: float
    point: OperatingPoint | None
    reason: str = ""


def sweep(
    probabilities: np.ndarray, harmful: np.ndarray, weights: np.ndarray | None = None
) -> list[OperatingPoint]:
    """One point for each probability that occurs, the highest first; equal ones are flagged together.

    Args:
        probabilities: (n,) of being harmful.
        harmful: (n,) bool, whether it is.
        weights: (n,) documents of the corpus that each stands for, as in a stratified sample.

    Raises:
        ValueError: a document without a probability, or a weight below zero or not finite.
    """
    probabilities, harmful = np.asarray(probabilities, np.float64), np.asarray(harmful, bool)
    if not np.isfinite(probabilities).all():
        raise ValueError("Documents without a probability cannot be swept over; leave them out.")
    counts = np.ones(len(probabilities)) if weights is None else np.asarray(weights, np.float64)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("Weights of documents are finite and not below zero.")
    if not len(probabilities):
        return []
    order = np.argsort(-probabilities, kind="stable")
    descending = probabilities[order]
    found = np.where(harmful[order], counts[order], 0.0).cumsum()
    alarms = np.where(harmful[order], 0.0, counts[order]).cumsum()
    ends = np.flatnonzero(np.append(np.diff(descending) < 0, True)).tolist()
    counted = weights is None
    return [
        OperatingPoint(
            threshold=float(descending[end]),
            flagged=_share(found[end] + alarms[end], found[-1] + alarms[-1], counted) or Share(0.0),
            recall=_share(found[end], found[-1], counted),
            precision=_share(found[end], found[end] + alarms[end], counted),
            false_alarms=_share(alarms[end], alarms[-1], counted),
        )
        for end in ends
    ]


def operating_point(points: Sequence[OperatingPoint], recall_target: float) -> Choice:
    """The point with the highest threshold whose recall reaches a target, from a :func:`sweep`."""
    if not points:
        return Choice(recall_target, None, "There are no documents.")
    if all(point.recall is None for point in points):
        return Choice(recall_target, None, "None of the documents is harmful, so recall is unknown.")
    reaching = [point for point in points if point.recall and point.recall.value >= recall_target]
    if not reaching:
        return Choice(recall_target, None, f"A recall of {recall_target:.3g} is never reached.")
    return Choice(recall_target, max(reaching, key=lambda point: point.threshold))


def thinned(points: Sequence[OperatingPoint], most: int) -> list[OperatingPoint]:
    """At most ``most`` points, with the first and the last, spread over recall and thresholds alike."""
    if len(points) <= most:
        return list(points)
    recalls = np.array([point.recall.value if point.recall else 0.0 for point in points])
    # Half of a point's place is how far recall has come, half its rank: neither end of the curve is lost.
    place = recalls + np.linspace(0, 1, len(points))
    wanted = np.searchsorted(place, np.linspace(place[0], place[-1], most))
    kept = sorted({0, len(points) - 1, *wanted.clip(0, len(points) - 1).tolist()})
    return [points[index] for index in kept]


def _share(some: float, total: float, counted: bool) -> Share | None:
    if total <= 0:
        return None
    if not counted:
        return Share(min(float(some / total), 1.0))
    estimate = wilson(int(some), int(total))
    return Share(estimate.value, estimate.low, estimate.high) if estimate else None
