"""What words say: a logistic model over hashed n-grams for each level, on composed windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safety_assets.scoring.building.compose import Window
from safety_assets.scoring.weights import Linear, lexical_features

__all__ = ["fit_lexical"]

STRENGTH = 10.0
# Soft targets this near to 0 or 1 are taken for them.
NEGLIGIBLE = 1e-3
TOLERANCE = 1e-2


def fit_lexical(windows: Sequence[Window]) -> Linear:
    """(5, buckets) log-odds of levels 1-5. A soft target is a window with both answers, weighted."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    features = lexical_features([window.text for window in windows])
    targets = np.array([window.target for window in windows])
    coefficients, intercepts = [], []
    for reached in targets.T:
        yes, no = reached > NEGLIGIBLE, reached < 1 - NEGLIGIBLE
        fitted = LogisticRegression(C=STRENGTH, solver="liblinear", tol=TOLERANCE, random_state=0).fit(
            vstack([features[yes], features[no]]),
            np.repeat([1, 0], [yes.sum(), no.sum()]),
            sample_weight=np.concatenate([reached[yes], 1 - reached[no]]),
        )
        coefficients.append(fitted.coef_[0])
        intercepts.append(fitted.intercept_[0])
    return Linear(np.array(coefficients, np.float32), np.array(intercepts, np.float32))
