"""Numbers over texts with 95 % intervals, and the table that they are shown in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from safety_assets.intervals import wilson

__all__ = [
    "DRAWS",
    "Measure",
    "auroc",
    "auroc_measure",
    "drawn_measure",
    "macro_f1",
    "share_measure",
    "spread_measure",
    "table",
]

DRAWS = 500


@dataclass(frozen=True)
class Measure:
    """A number over ``count`` texts, with a 95 % interval where there is one."""

    name: str
    value: float
    count: int
    low: float | None = None
    high: float | None = None


def table(measures: Sequence[Measure]) -> str:
    """A Markdown table."""
    lines = ["| measure | value | 95 % | texts |", "|---|---|---|---|"]
    for item in measures:
        interval = "" if item.low is None else f"{item.low:.3f}-{item.high:.3f}"
        lines.append(f"| {item.name} | {item.value:.3f} | {interval} | {item.count} |")
    return "\n".join(lines)


def auroc(harmful: np.ndarray, harmless: np.ndarray) -> float:
    """P(a harmful text has the higher vote), ties counted half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([harmful, harmless]))[: len(harmful)]
    return float((ranks.mean() - (len(harmful) + 1) / 2) / len(harmless))


def macro_f1(scores: np.ndarray, levels: np.ndarray) -> float:
    """Mean F1 over the six levels; 0 for a level that is neither there nor given."""
    pairs = np.bincount(scores * 6 + levels, minlength=36).reshape(6, 6)
    return float((2 * pairs.diagonal() / np.maximum(pairs.sum(0) + pairs.sum(1), 1)).mean())


def auroc_measure(name: str, high: np.ndarray, low: np.ndarray) -> Measure:
    if not len(high) or not len(low):
        return Measure(name, float("nan"), 0)
    rng = np.random.default_rng(0)
    drawn = [auroc(rng.choice(high, len(high)), rng.choice(low, len(low))) for _ in range(DRAWS)]
    return Measure(name, auroc(high, low), len(high) + len(low), *np.quantile(drawn, (0.025, 0.975)))


def drawn_measure(
    name: str, function: Callable[[np.ndarray, np.ndarray], float], truth: np.ndarray, said: np.ndarray
) -> Measure:
    """With a bootstrap over texts."""
    rng = np.random.default_rng(0)
    rows = (rng.integers(0, len(truth), len(truth)) for _ in range(DRAWS))
    drawn = [function(truth[own], said[own]) for own in rows]
    return Measure(name, function(truth, said), len(truth), *np.quantile(drawn, (0.025, 0.975)))


def spread_measure(name: str, values: np.ndarray, count: int) -> Measure:
    return Measure(name, float(values.mean()), count, *np.quantile(values, (0.025, 0.975)))


def share_measure(name: str, happened: np.ndarray) -> Measure:
    found = wilson(int(happened.sum()), len(happened))
    return (
        Measure(name, float("nan"), 0)
        if found is None
        else Measure(name, found.value, len(happened), found.low, found.high)
    )
