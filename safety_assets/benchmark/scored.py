"""Scores, and what gives them: the one protocol behind which all scorers are compared.

A scorer gives levels 0-5, or only how harmful a text is with a threshold of its own. What it could not score is marked,
never guessed. Models are loaded when a scorer is made, which is timed apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

__all__ = ["Scored", "Scorer", "log_odds_of"]

# Probabilities nearer to 0 or 1 say no more.
LEAST_STATED = 1e-6


@dataclass(frozen=True)
class Scored:
    """Scores of n texts.

    Attributes:
        levels: (n,) int 0-5; -1 where none was made, and everywhere if the scorer gives no levels.
        harm: (n,) float, the higher the more surely of level 3 or above; NaN where no score was made.
        gives_levels: whether the scorer tells the six levels apart.
        probability: whether ``harm`` is stated as the probability of level 3 or above.
        threshold: the harm from which a scorer without levels calls a text harmful.
        votes: (n, 5) log-odds of levels 1-5 or above; None where there is only ``harm``.
    """

    levels: np.ndarray
    harm: np.ndarray
    gives_levels: bool = True
    probability: bool = True
    threshold: float = 0.5
    votes: np.ndarray | None = None

    @classmethod
    def of_harm(cls, harm: np.ndarray, *, probability: bool = True, threshold: float = 0.5) -> Scored:
        """Of a scorer without levels."""
        values = np.asarray(harm, np.float64)
        return cls(np.full(len(values), -1), values, False, probability, threshold)

    @property
    def made(self) -> np.ndarray:
        """(n,) bool: where there is a score."""
        finite = np.isfinite(self.harm)
        return finite & (self.levels >= 0) if self.gives_levels else finite

    def at_least(self, level: int) -> np.ndarray:
        """(n,) bool: said to be of this level or above. Without levels, harmful is all that can be said."""
        if self.gives_levels:
            return self.levels >= level
        return np.nan_to_num(self.harm, nan=-np.inf) >= self.threshold

    def part(self, rows: np.ndarray) -> Scored:
        """The rows where a mask is true, or at these places."""
        votes = None if self.votes is None else self.votes[rows]
        return replace(self, levels=self.levels[rows], harm=self.harm[rows], votes=votes)

    def log_odds(self) -> np.ndarray:
        """(n, 5) votes; of a scorer without, ``harm`` stands for each level."""
        if self.votes is not None:
            return self.votes
        harm = np.asarray(self.harm, np.float64)
        return np.repeat((log_odds_of(harm) if self.probability else harm)[:, None], 5, axis=1)


class Scorer(Protocol):
    """Scores texts, in order. ``version`` changes whenever a text might get another score."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def score(self, texts: Sequence[str]) -> Scored: ...


def log_odds_of(probabilities: np.ndarray | float) -> np.ndarray:
    """Log-odds of probabilities, finite at 0 and 1; NaN stays NaN."""
    clipped = np.clip(probabilities, LEAST_STATED, 1 - LEAST_STATED)
    return np.log(clipped / (1 - clipped))
