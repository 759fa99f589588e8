"""Two scorers of one document: their maximum, or a calibrated combination, and how they compare.

The maximum is the default (SP section 3.1), as recall on unsafe text matters most. The combination adds what the second
scorer knows to the log-odds of the first. Whether it knows anything is decided on annotations that the combination was
not fitted on; where that is not shown, the first scorer stands alone and nothing it says is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from safety_assets.harms import LEVELS
from safety_assets.intervals import Estimate, wilson
from safety_assets.scoring.calibration import (
    BENIGN_CAPS,
    Calibration,
    expected_calibration_error,
    fit_calibration,
    fit_thresholds,
    in_order,
    levels_of,
)
from safety_assets.scoring.weights import sigmoid

__all__ = ["Combination", "EnsembleRow", "Opinions", "compare_ensembles", "fit_combination", "maximum"]

# The second scorer helps if held-out log-likelihood gains this many standard errors, and this much for a document:
# where its weights are all but zero, the smallest gain is many standard errors.
CLEARLY = 2.5
LEAST_GAIN = 0.003
FOLDS = 5
# Fewer documents of level 3 or above, or below it, show nothing.
LEAST_EXAMPLES = 10
# How firmly weights are held to those of the first scorer alone: precision of a normal prior.
HELD = 4.0
MOST_LOG_ODDS = 10.0
# Weights of the first scorer alone; see Combination.
ALONE = np.array([1.0, 0, 0, 0])
# Column of P(level >= 3): the question that a language model answers best.
_HARM = 2


@dataclass(frozen=True)
class Opinions:
    """What a scorer says of documents: ``probabilities`` (n, 5) P(level >= 1..5), NaN where it could not score.

    ``thresholds`` make levels of them.
    """

    probabilities: np.ndarray
    thresholds: Mapping[int, float]

    @property
    def levels(self) -> np.ndarray:
        """(n,) int 0-5; an error where a document could not be scored."""
        return levels_of(self.probabilities, self.thresholds)

    @property
    def scored(self) -> np.ndarray:
        """(n,) bool."""
        return np.isfinite(self.probabilities).all(1)

    def part(self, keep: np.ndarray) -> Opinions:
        """Of the documents where ``keep`` (n,) is true."""
        return replace(self, probabilities=self.probabilities[keep])


@dataclass(frozen=True)
class Combination:
    """Log-odds of each level 1-5 or above as a weighted sum.

    Attributes:
        weights: (5, 4) for each level: of the first scorer's log-odds, of the second's, of the second's of level 3 or
            above, all of them zero or more, and of one.
        second: calibrates the second scorer.
        thresholds: level to the combined probability that it takes.
        gain: mean gain in log-likelihood of a held-out document by the second scorer; None if not measured.
        gain_error: its standard error.
    """

    weights: np.ndarray
    second: Calibration
    thresholds: Mapping[int, float]
    gain: float | None = None
    gain_error: float | None = None

    @property
    def informative(self) -> bool:
        """Whether the second scorer has a say."""
        return bool(self.weights[:, 1:3].any())

    def probabilities(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n, 5) P(level >= 1..5) from those of both scorers; NaN where either could not score."""
        scored = np.isfinite(first).all(1) & np.isfinite(second).all(1)
        if (self.weights == ALONE).all():
            return np.where(scored[:, None], first, np.nan)
        features = _features(first, _log_odds(self.second.probabilities(_log_odds(second))))
        return in_order(sigmoid(np.einsum("nlf,lf->nl", features, self.weights)))

    def to_header(self) -> dict[str, Any]:
        """Plain numbers, for a file's header."""
        return {
            "weights": np.asarray(self.weights, np.float64).tolist(),
            "second": self.second.to_header(),
            "thresholds": {str(level): float(value) for level, value in self.thresholds.items()},
            "gain": self.gain,
            "gain_error": self.gain_error,
        }

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Combination:
        """What :meth:`to_header` gave.

        Raises:
            ValueError: see :class:`~safety_assets.scoring.calibration.Calibration`.
        """
        return cls(
            np.array(header["weights"], np.float64),
            Calibration.from_header(header["second"]),
            {int(level): value for level, value in header["thresholds"].items()},
            header["gain"],
            header["gain_error"],
        )

    def opinions(self, first: Opinions, second: Opinions) -> Opinions:
        """What both say together."""
        return Opinions(self.probabilities(first.probabilities, second.probabilities), self.thresholds)


@dataclass(frozen=True)
class EnsembleRow:
    """How one way to score does on annotated documents; None where there is nothing to measure it on.

    ``false_alarms``: share of level 0 that is given 1 or more. ``auroc``: of level 3 or above against 1 or below.
    ``ece``: expected calibration error of P(level >= 3).
    """

    name: str
    documents: int
    macro_f1: float
    recall_ge1: Estimate | None
    recall_ge3: Estimate | None
    precision_ge3: Estimate | None
    precision_ge4: Estimate | None
    false_alarms: Estimate | None
    auroc: float | None
    ece: float


def maximum(first: Opinions, second: Opinions) -> np.ndarray:
    """(n,) int: the higher level of both, for documents that both scored."""
    return np.maximum(first.levels, second.levels)


def fit_combination(
    first: Opinions,
    second: Opinions,
    scores: np.ndarray,
    *,
    benign_caps: Mapping[int, float] = BENIGN_CAPS,
) -> Combination:
    """The combination of both scorers, or the first alone where the second is not shown to help.

    It is shown on folds: fitted on the others, does the second scorer make the annotated levels of a fold likelier than
    a fit of the first alone does? Thresholds are chosen on the same held-out probabilities.

    Args:
        first: calibrated, of documents that it was not fitted on, as are ``second``'s.
        scores: (n,) int, the annotated levels.
    """
    usable = first.scored & second.scored
    given, other, truth = (
        first.probabilities[usable],
        second.probabilities[usable],
        np.asarray(scores)[usable],
    )
    calibration = fit_calibration(_log_odds(other), truth)
    alone = Combination(np.tile(ALONE, (len(LEVELS) - 1, 1)), calibration, dict(first.thresholds))
    harmful = int((truth >= 3).sum())
    if min(harmful, len(truth) - harmful) < LEAST_EXAMPLES:
        return alone
    fold = _folds(truth)
    held_out = np.zeros((2, len(truth), len(LEVELS) - 1))
    for part in range(FOLDS):
        here, rest = fold == part, fold != part
        for heard in (0, 1):
            fitted = _fitted(given[rest], other[rest], truth[rest], bool(heard))
            held_out[heard, here] = fitted.probabilities(given[here], other[here])
    gains = _likelihood(held_out[1], truth) - _likelihood(held_out[0], truth)
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    if gain <= max(CLEARLY * error, LEAST_GAIN):
        return replace(alone, gain=gain, gain_error=error)
    together = _fitted(given, other, truth, True)
    if not together.informative:
        return replace(alone, gain=gain, gain_error=error)
    thresholds = fit_thresholds(held_out[1], truth, benign_caps=benign_caps)
    return replace(together, thresholds=thresholds, gain=gain, gain_error=error)


def compare_ensembles(
    first: Opinions,
    second: Opinions,
    scores: np.ndarray,
    *,
    combination: Combination | None = None,
    names: tuple[str, str] = ("embedding", "language model"),
) -> tuple[EnsembleRow, ...]:
    """Each scorer alone, their maximum, and the combination, on the documents that both scored.

    The second's calibration error is of its probabilities as the combination calibrates them.

    Args:
        first, second: of documents that neither was fitted on.
        scores: (n,) int, the annotated levels.
        combination: fitted on other documents; if not given, each fifth is scored by one fitted on the rest.
    """
    usable = first.scored & second.scored
    first, second, truth = first.part(usable), second.part(usable), np.asarray(scores)[usable]
    if not len(truth):
        return ()
    fold = np.zeros(len(truth), int) if combination else _folds(truth)
    calibrated = np.zeros_like(first.probabilities, np.float64)
    combined, levels = calibrated.copy(), np.zeros(len(truth), int)
    for part in np.unique(fold):
        here, rest = fold == part, fold != part
        one = combination or fit_combination(first.part(rest), second.part(rest), truth[rest])
        together = one.opinions(first.part(here), second.part(here))
        combined[here], levels[here] = together.probabilities, together.levels
        calibrated[here] = one.second.probabilities(_log_odds(second.probabilities[here]))
    ways = (
        (names[0], first.levels, first.probabilities),
        (names[1], second.levels, calibrated),
        ("maximum", maximum(first, second), np.maximum(first.probabilities, calibrated)),
        ("calibrated", levels, combined),
    )
    return tuple(_row(name, said, reached[:, _HARM], truth) for name, said, reached in ways)


def _row(name: str, said: np.ndarray, harm: np.ndarray, truth: np.ndarray) -> EnsembleRow:
    from sklearn.metrics import f1_score, roc_auc_score

    clear = (truth >= 3) | (truth <= 1)
    both = len(np.unique(truth[clear] >= 3)) == 2
    return EnsembleRow(
        name=name,
        documents=len(truth),
        macro_f1=float(f1_score(truth, said, labels=list(LEVELS), average="macro", zero_division=0)),
        recall_ge1=_share(said >= 1, truth >= 1),
        recall_ge3=_share(said >= 3, truth >= 3),
        precision_ge3=_share(truth >= 3, said >= 3),
        precision_ge4=_share(truth >= 4, said >= 4),
        false_alarms=_share(said >= 1, truth == 0),
        auroc=float(roc_auc_score(truth[clear] >= 3, harm[clear])) if both else None,
        ece=expected_calibration_error(harm, truth >= 3),
    )


def _share(what: np.ndarray, among: np.ndarray) -> Estimate | None:
    return wilson(int((what & among).sum()), int(among.sum()))


def _folds(truth: np.ndarray) -> np.ndarray:
    """(n,) int: every level is dealt out to the folds in turn."""
    fold = np.zeros(len(truth), int)
    for level in np.unique(truth):
        fold[truth == level] = np.arange((truth == level).sum()) % FOLDS
    return fold


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Within -10 to 10."""
    with np.errstate(divide="ignore"):
        odds = np.log(probabilities) - np.log1p(-np.asarray(probabilities, np.float64))
    return np.clip(odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)


def _features(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, 5, 4) from (n, 5) probabilities of the first and calibrated log-odds of the second."""
    harm = np.broadcast_to(second[:, [_HARM]], second.shape)
    return np.stack([_log_odds(first), second, harm, np.ones_like(second)], axis=2)


def _fitted(first: np.ndarray, second: np.ndarray, truth: np.ndarray, heard: bool) -> Combination:
    """Without thresholds, from (n, 5) probabilities of both scorers."""
    calibration = fit_calibration(_log_odds(second), truth)
    features = _features(first, _log_odds(calibration.probabilities(_log_odds(second))))
    return Combination(_weights(features, truth, heard), calibration, {})


def _weights(features: np.ndarray, truth: np.ndarray, heard: bool) -> np.ndarray:
    """(5, 4) logistic regression held to the first scorer alone; the second has no weight unless ``heard``."""
    from scipy.optimize import minimize

    held = np.array([HELD, HELD, HELD, 0.01])
    bounds = [(0, None), *[(0, None if heard else 0)] * 2, (None, None)]

    def surprise(vector: np.ndarray, own: np.ndarray, happened: np.ndarray) -> tuple[float, np.ndarray]:
        odds, away = own @ vector, vector - ALONE
        loss = (np.logaddexp(0, odds) - happened * odds).sum() + away @ (held * away) / 2
        return float(loss), own.T @ (sigmoid(odds) - happened) + held * away

    return np.stack(
        [
            minimize(
                surprise,
                ALONE,
                args=(features[:, level - 1], (truth >= level).astype(float)),
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
            ).x
            for level in LEVELS[1:]
        ]
    )


def _likelihood(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(n,) log-likelihood of what each level's question was answered, summed over the levels."""
    reached = truth[:, None] >= np.array(LEVELS[1:])
    return np.log(np.where(reached, probabilities, 1 - probabilities).clip(1e-6)).sum(1)
