"""The embedding classifier (SP section 3.1, appendix B): 6-way head over the encoder, lexical evidence beside it.

A sentence embedding tells what a text is about, words tell how it speaks; both vote. A document's level is the
maximum over its windows. Levels are decided by thresholds on P(score >= level) and not by the likeliest class, since
a page has many windows and false alarms at 4-5 teach a model to refuse harmless things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from safety_assets.harms import LEVELS
from safety_assets.scoring.weights import Linear, fit_linear, lexical_features, pack, softmax, unpack

__all__ = ["Examples", "SafetyClassifier", "WindowScores", "at_least", "metrics_of", "train_classifier"]

# Chosen by validation on the seeds: strong penalties, as there are few examples.
EMBEDDING_STRENGTH = 3.0
LEXICAL_STRENGTH = 30.0
CATEGORY_STRENGTH = 10.0
# Of calibration examples at least two levels below (for level 1: safe ones), the share that may be given a level.
FALSE_ALARM_RATE = {1: 0.06, 2: 0.05, 3: 0.03, 4: 0.03, 5: 0.03}
# No level is given on less than this probability of it or worse.
LEAST_PROBABILITY = {1: 0.45, 2: 0.45, 3: 0.42, 4: 0.43, 5: 0.4}


@dataclass(frozen=True)
class Examples:
    """Labelled texts, one window each. ``embeddings`` (n, dimension) float32, ``scores`` (n,) int, ``splits`` (n,)."""

    texts: Sequence[str]
    embeddings: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    splits: np.ndarray

    def part(self, keep: np.ndarray) -> Examples:
        """The examples where ``keep`` is true."""
        texts = [text for text, kept in zip(self.texts, keep, strict=True) if kept]
        return Examples(
            texts, self.embeddings[keep], self.scores[keep], self.categories[keep], self.splits[keep]
        )

    def split(self, name: str) -> Examples:
        """The examples of a split."""
        return self.part(self.splits == name)


@dataclass(frozen=True)
class WindowScores:
    """``levels`` (n,) int, ``probabilities`` (n, 6) float32, ``categories`` n names with their ``category_probabilities``."""

    levels: np.ndarray
    probabilities: np.ndarray
    categories: list[str]
    category_probabilities: np.ndarray


@dataclass(frozen=True)
class SafetyClassifier:
    """A trained head. ``thresholds`` maps level 1-5 to the P(score >= level) that it takes."""

    models: Mapping[str, Linear]
    categories: tuple[str, ...]
    temperature: float
    thresholds: Mapping[int, float]
    version: str

    def score_windows(self, texts: Sequence[str], embeddings: np.ndarray) -> WindowScores:
        """Score windows, given their texts and their embeddings (n, dimension) float32."""
        if not len(texts):
            return WindowScores(np.zeros(0, int), np.zeros((0, 6), np.float32), [], np.zeros(0, np.float32))
        probabilities = softmax(_votes(self.models, texts, embeddings) / self.temperature)
        categories = softmax(self.models["category"].logits(embeddings))
        chosen = categories.argmax(1)
        return WindowScores(
            levels=self._levels(probabilities),
            probabilities=probabilities.astype(np.float32),
            categories=[self.categories[index] for index in chosen],
            category_probabilities=categories.max(1),
        )

    def _levels(self, probabilities: np.ndarray) -> np.ndarray:
        reached = at_least(probabilities)
        levels = np.zeros(len(probabilities), int)
        for level, threshold in sorted(self.thresholds.items()):
            levels[reached[:, level] >= threshold] = level
        return levels

    def to_bytes(self) -> bytes:
        """Without pickle; see ``weights.py``."""
        header = {
            "categories": list(self.categories),
            "temperature": self.temperature,
            "thresholds": {str(level): value for level, value in self.thresholds.items()},
            "version": self.version,
        }
        return pack(header, self.models)

    @classmethod
    def from_bytes(cls, data: bytes) -> SafetyClassifier:
        """What :meth:`to_bytes` wrote.

        Raises:
            ValueError: other bytes, or another format.
        """
        header, models = unpack(data)
        thresholds = {int(level): value for level, value in header["thresholds"].items()}
        return cls(models, tuple(header["categories"]), header["temperature"], thresholds, header["version"])


def train_classifier(examples: Examples, *, positive_weight: float) -> SafetyClassifier:
    """Train on the split ``train``; temperature and thresholds come from ``calibration``. Deterministic.

    Args:
        positive_weight: loss weight of examples with score > 0 (lambda in SP appendix B).

    Raises:
        ValueError: a level without examples to train on.
    """
    train, held_out = examples.split("train"), examples.split("calibration")
    missing = set(LEVELS) - set(train.scores.tolist())
    if missing:
        raise ValueError(
            f"No training examples of level {sorted(missing)}: add annotations of every level 0-5."
        )
    weights = np.where(train.scores > 0, positive_weight, 1.0)
    models: dict[str, Linear] = {}
    models["embedding"], _ = fit_linear(
        train.embeddings, train.scores, strength=EMBEDDING_STRENGTH, weights=weights
    )
    models["lexical"], _ = fit_linear(
        lexical_features(train.texts), train.scores, strength=LEXICAL_STRENGTH, weights=weights
    )
    unsafe = train.scores > 0
    models["category"], categories = fit_linear(
        train.embeddings[unsafe], train.categories[unsafe], strength=CATEGORY_STRENGTH
    )
    votes = _votes(models, held_out.texts, held_out.embeddings)
    temperature = _temperature(votes, held_out.scores)
    thresholds = _thresholds(softmax(votes / temperature), held_out.scores)
    parts = [array.tobytes() for model in models.values() for array in (model.coefficients, model.intercepts)]
    digest = hashlib.sha256(b"".join(parts) + repr((temperature, thresholds)).encode()).hexdigest()[:12]
    return SafetyClassifier(
        models, tuple(categories), temperature, thresholds, f"embedding-classifier@{digest}"
    )


def at_least(probabilities: np.ndarray) -> np.ndarray:
    """(n, 6): P(score >= level) from P(score = level)."""
    return probabilities[:, ::-1].cumsum(1)[:, ::-1]


def _votes(models: Mapping[str, Linear], texts: Sequence[str], embeddings: np.ndarray) -> np.ndarray:
    """(n, 6) logits: the geometric mean of what the embedding and the words say."""
    embedded = softmax(models["embedding"].logits(embeddings))
    lexical = softmax(models["lexical"].logits(lexical_features(texts)))
    return 0.5 * (np.log(embedded + 1e-9) + np.log(lexical + 1e-9))


def _temperature(votes: np.ndarray, scores: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood of the calibration scores."""

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(votes / temperature)[np.arange(len(scores)), scores] + 1e-9).mean())

    return float(min(np.geomspace(0.2, 3.0, 40), key=loss))


def _thresholds(probabilities: np.ndarray, scores: np.ndarray) -> dict[int, float]:
    reached, thresholds = at_least(probabilities), {}
    for level in LEVELS[1:]:
        below = reached[scores < max(1, level - 1), level]
        allowed = float(np.quantile(below, 1 - FALSE_ALARM_RATE[level])) if len(below) else 1.0
        thresholds[level] = max(allowed, LEAST_PROBABILITY[level])
    return thresholds


def metrics_of(classifier: SafetyClassifier, examples: Examples) -> dict[str, Any]:
    """Macro F1 over six levels, recall and precision at 3 and above, false alarms on level 0, and ECE of P(>= 3)."""
    from sklearn.metrics import f1_score, roc_auc_score

    found = classifier.score_windows(examples.texts, examples.embeddings)
    truth, said = examples.scores, found.levels
    unsafe = at_least(found.probabilities)[:, 3]
    clear = (truth >= 3) | (truth <= 1)
    return {
        "test_examples": len(truth),
        "macro_f1": float(f1_score(truth, said, average="macro", labels=list(LEVELS), zero_division=0)),
        "recall_ge1": float((said[truth >= 1] >= 1).mean()),
        "recall_ge3": float((said[truth >= 3] >= 3).mean()),
        "precision_ge3": float((truth[said >= 3] >= 3).mean()) if (said >= 3).any() else 0.0,
        "precision_ge4": float((truth[said >= 4] >= 4).mean()) if (said >= 4).any() else 0.0,
        "false_alarms_ge1": float((said[truth == 0] >= 1).mean()),
        "false_alarms_ge3": float((said[truth == 0] >= 3).mean()),
        "auroc_ge3": float(roc_auc_score(truth[clear] >= 3, unsafe[clear])),
        "ece_ge3": _calibration_error(unsafe, truth >= 3),
    }


def _calibration_error(probabilities: np.ndarray, happened: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean distance of stated to observed frequency over equal-width bins."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        (bin_of == index).mean()
        * abs(probabilities[bin_of == index].mean() - happened[bin_of == index].mean())
        for index in range(bins)
        if (bin_of == index).any()
    ]
    return float(sum(gaps))
