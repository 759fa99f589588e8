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

# Buckets of the two hashed n-gram spaces; more does not help with a few hundred examples, and the head stays small.
WORD_BUCKETS = 2**14
CHARACTER_BUCKETS = 2**15
FORMAT = 1


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
    """(texts, buckets) float32: hashed word 1-2-grams and character 3-5-grams, each part of length 1 at most."""
    from scipy.sparse import hstack

    words, characters = _hashers()
    return hstack([words.transform(texts), characters.transform(texts)], format="csr", dtype=np.float32)


@lru_cache(maxsize=1)
def _hashers() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    shared: dict[str, Any] = {"alternate_sign": False, "dtype": np.float32, "strip_accents": "unicode"}
    return (
        HashingVectorizer(ngram_range=(1, 2), n_features=WORD_BUCKETS, **shared),
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=CHARACTER_BUCKETS, **shared),
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Elementwise, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))


def pack(header: Mapping[str, Any], models: Mapping[str, Linear]) -> bytes:
    """A JSON header and named linear models as one npz; coefficients as float16."""
    arrays: dict[str, np.ndarray] = {
        "header": np.frombuffer(json.dumps({"format": FORMAT, **header}, sort_keys=True).encode(), np.uint8)
    }
    for name, model in models.items():
        arrays[f"{name}.coefficients"] = model.coefficients.astype(np.float16)
        arrays[f"{name}.intercepts"] = model.intercepts
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Linear]]:
    """What :func:`pack` wrote.

    Raises:
        ValueError: not a packed head, or of another format version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            names = sorted({key.rsplit(".", 1)[0] for key in arrays.files if "." in key})
            models = {
                name: Linear(arrays[f"{name}.coefficients"].astype(np.float32), arrays[f"{name}.intercepts"])
                for name in names
            }
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(
            "These bytes are no classifier head: materialise safety_classifier again."
        ) from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"This classifier head has format {header.get('format')}, not {FORMAT}: materialise safety_classifier again."
        )
    return header, models
