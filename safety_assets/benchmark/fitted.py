"""Levels and probabilities fitted to the labels of the other folds: by the same rule for every scorer.

A scorer's own thresholds were chosen on other texts, or for another question. What its votes are worth once they are
fitted to labels like these is measured by fitting calibration and thresholds on four folds and reading the fifth, so
that no text has a say in its own level.
"""

from __future__ import annotations

import numpy as np

from safety_assets.benchmark.measures import Truth
from safety_assets.benchmark.scored import Scored
from safety_assets.scoring.calibration import fit_calibration, fit_thresholds, levels_of

__all__ = ["fitted_scores"]

# Levels fitted on fewer labelled texts than this are luck.
LEAST_LEVELLED = 50


def fitted_scores(truth: Truth, scored: Scored) -> Scored | None:
    """The same scores with fitted levels 0-5 and ``harm`` as a fitted probability.

    Only texts labelled with a level teach; safe texts of any kind bound the false alarms.

    Returns:
        None where some fold's others have too few labelled texts, or all of one kind.
    """
    votes = scored.log_odds()
    usable = scored.made & np.isfinite(votes).all(1)
    levels, harm = np.full(len(votes), -1), np.full(len(votes), np.nan)
    for fold in np.unique(truth.folds):
        own = usable & (truth.folds == fold)
        teach = usable & (truth.folds != fold) & (truth.levels >= 0)
        bound = usable & (truth.folds != fold) & truth.safe
        if teach.sum() < LEAST_LEVELLED or len(np.unique(truth.levels[teach] >= 3)) < 2 or not bound.any():
            return None
        calibration = fit_calibration(votes[teach], truth.levels[teach])
        thresholds = fit_thresholds(
            calibration.probabilities(votes[teach]),
            truth.levels[teach],
            benign=calibration.probabilities(votes[bound]),
        )
        reached = calibration.probabilities(votes[own])
        levels[own], harm[own] = levels_of(reached, thresholds), reached[:, 2]
    return Scored(levels, harm)
