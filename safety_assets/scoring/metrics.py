"""How well a classifier does on annotations that it has not learned from."""

from __future__ import annotations

import numpy as np

from safety_assets.harms import LEVELS
from safety_assets.scoring.calibration import expected_calibration_error
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.reading import DocumentReader

__all__ = ["metrics_of"]


def metrics_of(reader: DocumentReader, examples: Examples) -> dict[str, float]:
    """Macro F1 over six levels; recall, precision and false alarms; AUROC and calibration error of level 3 and above.

    A text that could not be read counts as level 0 found: it is missed if it is unsafe.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    read = reader.read(list(examples.texts))
    truth, said = examples.scores, np.array([found.level or 0 for found in read])
    harm = np.array([sum(found.probabilities[3:]) if found.probabilities else 0.0 for found in read])
    clear = (truth >= 3) | (truth <= 1)
    right = np.array([found.category for found in read]) == examples.categories
    return {
        "test_examples": len(truth),
        "macro_f1": float(f1_score(truth, said, average="macro", labels=list(LEVELS), zero_division=0)),
        "recall_ge1": _share(said >= 1, truth >= 1),
        "recall_ge3": _share(said >= 3, truth >= 3),
        "precision_ge3": _share(truth >= 3, said >= 3),
        "precision_ge4": _share(truth >= 4, said >= 4),
        "false_alarms_ge1": _share(said >= 1, truth == 0),
        "false_alarms_ge3": _share(said >= 3, truth == 0),
        "auroc_ge3": float(roc_auc_score(truth[clear] >= 3, harm[clear])),
        "ece_ge3": expected_calibration_error(harm, truth >= 3),
        "category_accuracy": _share(right, truth >= 1),
    }


def _share(what: np.ndarray, among: np.ndarray) -> float:
    """The share of those ``among`` that are ``what``; 0 where there are none."""
    return float(what[among].mean()) if among.any() else 0.0
