"""What words say: a logistic model over hashed words and pairs of words for each level.

It is learned on labelled texts as they are, each once. Among harmless context, as the encoder sees them, texts teach
words that only happen to stand there; measured, such a vote lowers recall instead of raising it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safety_assets.scoring.building.sources import SourceText
from safety_assets.scoring.building.targets import soft_target
from safety_assets.scoring.weights import Linear, lexical_features

__all__ = ["fit_lexical"]

STRENGTH = 0.02
# Soft targets this near to 0 or 1 are taken for them.
NEGLIGIBLE = 1e-3
TOLERANCE = 1e-2


def fit_lexical(texts: Sequence[SourceText]) -> Linear:
    """(5, buckets) log-odds of levels 1-5. A soft target is a text with both answers, weighted."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    features = lexical_features([text.text for text in texts])
    targets = np.array([soft_target(text) for text in texts])
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
