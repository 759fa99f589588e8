"""Linear models as plain arrays: fitted with scikit-learn, kept as npz, applied with numpy. No pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Linear", "fit_linear", "lexical_features", "pack", "sigmoid", "softmax", "unpack"]

# Few enough that a packaged head stays small.
BUCKETS = 2**16
FORMAT = 2


@dataclass(frozen=True)
class Linear:
    """A linear model: ``coefficients`` (classes, features) and ``intercepts`` (classes,), float32."""

    coefficients: np.ndarray
    intercepts: np.ndarray

    def logits(self, features: np.ndarray | csr_matrix) -> np.ndarray:
        """(rows, classes) float32 from (rows, features), dense or sparse."""
        return np.asarray(features @ self.coefficients.T.astype(np.float32)) + self.intercepts


def fit_linear(
    features: np.ndarray | csr_matrix, labels: Sequence, *, strength: float, weights: np.ndarray | None = None
) -> tuple[Linear, list]:
    """Multinomial logistic regression; returns it with the labels of its classes, in order.

    Args:
        features: (rows, features).
        strength: inverse of the L2 penalty.
        weights: (rows,) of the loss.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength, max_iter=3_000).fit(
        features, np.asarray(labels), sample_weight=weights
    )
    linear = Linear(fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32))
    return linear, fitted.classes_.tolist()


def lexical_features(texts: Sequence[str]) -> csr_matrix:
    """(texts, BUCKETS) float32: 1 for each word and pair of words that occurs, hashed. Not scaled by a text's length:
    a word says what it says in whatever company."""
    return _hasher().transform(texts)


@lru_cache(maxsize=1)
def _hasher() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        ngram_range=(1, 2),
        n_features=BUCKETS,
        binary=True,
        norm=None,
        alternate_sign=False,
        strip_accents="unicode",
        dtype=np.float32,
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Elementwise, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))


def pack(
    header: Mapping[str, Any], models: Mapping[str, Linear], arrays: Mapping[str, np.ndarray] | None = None
) -> bytes:
    """A JSON header, named linear models and other arrays as one npz; all but intercepts as float16.

    Names of models have no dot.
    """
    packed: dict[str, np.ndarray] = {
        "header": np.frombuffer(json.dumps({"format": FORMAT, **header}, sort_keys=True).encode(), np.uint8)
    }
    for name, model in models.items():
        packed[f"linear.{name}.coefficients"] = model.coefficients.astype(np.float16)
        packed[f"linear.{name}.intercepts"] = model.intercepts
    for name, array in (arrays or {}).items():
        packed[f"array.{name}"] = array.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **packed)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Linear], dict[str, np.ndarray]]:
    """What :func:`pack` wrote; everything as float32.

    Raises:
        ValueError: not a packed head, or of another format version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as packed:
            header = json.loads(packed["header"].tobytes())
            found = {name: packed[name].astype(np.float32) for name in packed.files if name != "header"}
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(
            "These bytes are no classifier head: materialise safety_classifier again."
        ) from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"This classifier head has format {header.get('format')}, not {FORMAT}: materialise safety_classifier again."
        )
    names = sorted({name.split(".")[1] for name in found if name.startswith("linear.")})
    models = {
        name: Linear(found[f"linear.{name}.coefficients"], found[f"linear.{name}.intercepts"])
        for name in names
    }
    others = {
        name.removeprefix("array."): array for name, array in found.items() if name.startswith("array.")
    }
    return header, models, others
