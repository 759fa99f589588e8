"""The embedding classifier (SP section 3.1, appendix B): how unsafe a window is, and what that says of its document.

A sentence embedding tells what a text is about, words tell how it speaks; both vote on every window. For each level
1-5 the vote is the log-odds that the window is of that level or above. A document's vote is the mean of its two
highest windows, less the more windows it has: one window of many is often high by chance. Calibration makes
probabilities of votes, thresholds make levels of probabilities; they are decided per level and not by the likeliest
class, since false alarms at 4-5 teach a model to refuse harmless things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from resources.encoder_adapter import EncoderAdapter
from safety_assets.harms import HarmCategory
from safety_assets.scoring.calibration import Calibration, levels_of
from safety_assets.scoring.weights import Linear, lexical_features, pack, softmax, unpack

__all__ = ["DISCOUNTED_WINDOWS", "MOST_LOG_ODDS", "SafetyClassifier", "doublings", "pool_windows"]

# Log-odds beyond this say no more, and keep sums finite.
MOST_LOG_ODDS = 15.0
# Windows beyond this cost a document nothing more, so that no amount of harmless text hides what is plainly unsafe.
DISCOUNTED_WINDOWS = 64


@dataclass(frozen=True)
class SafetyClassifier:
    """A trained classifier over the features of an encoder; see ``EncodedTexts`` for what they are.

    Attributes:
        head: (5, features), log-odds of the levels 1-5 or above; or (6, features), a class for each level.
        lexical: (5, buckets) over :func:`lexical_features`; None where words do not vote.
        lexical_weight: of the words' vote, 0-1.
        category: (categories, features), for windows of unsafe documents.
        thresholds: level 1-5 to the calibrated probability of it or above that it takes.
        window_tokens: tokens of a window.
        margin, discount: see :func:`pool_windows`; 0 and 0 take the highest window alone (SP appendix B).
        adapter: changes to the encoder; None takes it as it is.
        version: changes whenever a text might get another score.
    """

    head: Linear
    lexical: Linear | None
    lexical_weight: float
    category: Linear
    categories: tuple[str, ...]
    calibration: Calibration
    thresholds: Mapping[int, float]
    window_tokens: int
    margin: float
    discount: float
    adapter: EncoderAdapter | None = None
    version: str = ""

    def window_logits(self, texts: Sequence[str], features: np.ndarray) -> np.ndarray:
        """(windows, 5) log-odds of levels 1-5, of windows with these texts and features (windows, features)."""
        if not len(texts):
            return np.zeros((0, 5), np.float32)
        logits = self.head.logits(features)
        if logits.shape[1] == 6:
            logits = _log_odds(softmax(logits))
        if self.lexical is not None and self.lexical_weight:
            words = self.lexical.logits(lexical_features(texts))
            logits = (1 - self.lexical_weight) * logits + self.lexical_weight * words
        return np.clip(logits, -MOST_LOG_ODDS, MOST_LOG_ODDS).astype(np.float32)

    def document_logits(self, logits: np.ndarray, document: np.ndarray, documents: int) -> np.ndarray:
        """(documents, 5) from :meth:`window_logits`; NaN for a document without a window."""
        return pool_windows(logits, document, documents, self.margin, self.discount)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(n, 5) calibrated P(level >= 1..5), never rising with the level."""
        return self.calibration.probabilities(logits)

    def levels(self, probabilities: np.ndarray) -> np.ndarray:
        """(n,) int levels 0-5 from (n, 5) calibrated probabilities."""
        return levels_of(probabilities, self.thresholds)

    def categorise(self, features: np.ndarray) -> tuple[list[str], np.ndarray]:
        """The likeliest harm category of each window, taken as unsafe, and its probability (windows,)."""
        if not len(features):
            return [], np.zeros(0, np.float32)
        probabilities = softmax(self.category.logits(features))
        return [self.categories[index] for index in probabilities.argmax(1)], probabilities.max(1)

    def identified(self, name: str) -> SafetyClassifier:
        """The same with a version made of a name and a digest of everything in it."""
        bare = replace(self, version="")
        return replace(self, version=f"{name}@{hashlib.sha256(bare.to_bytes()).hexdigest()[:12]}")

    def to_bytes(self) -> bytes:
        """Without pickle; see ``weights.py``. Weights are kept as float16."""
        header = {
            "categories": list(self.categories),
            "calibration": self.calibration.to_header(),
            "lexical_weight": self.lexical_weight,
            "thresholds": {str(level): value for level, value in self.thresholds.items()},
            "window_tokens": self.window_tokens,
            "margin": self.margin,
            "discount": self.discount,
            "version": self.version,
        }
        models = {"head": self.head, "category": self.category}
        if self.lexical is not None:
            models["lexical"] = self.lexical
        return pack(header, models, self.adapter.arrays() if self.adapter else None)

    @classmethod
    def from_bytes(cls, data: bytes) -> SafetyClassifier:
        """What :meth:`to_bytes` wrote.

        Raises:
            ValueError: other bytes, or another format.
        """
        header, models, arrays = unpack(data)
        try:
            return cls(
                head=models["head"],
                lexical=models.get("lexical"),
                lexical_weight=header["lexical_weight"],
                category=models["category"],
                categories=tuple(HarmCategory(name).value for name in header["categories"]),
                calibration=Calibration.from_header(header["calibration"]),
                thresholds={int(level): value for level, value in header["thresholds"].items()},
                window_tokens=header["window_tokens"],
                margin=header["margin"],
                # Heads from before it was there have none.
                discount=header.get("discount", 0.0),
                adapter=EncoderAdapter.from_arrays(arrays) if arrays else None,
                version=header["version"],
            )
        except KeyError as error:
            raise ValueError(
                f"This classifier head has no {error}: materialise safety_classifier again."
            ) from error


def pool_windows(
    logits: np.ndarray, document: np.ndarray, documents: int, margin: float, discount: float
) -> np.ndarray:
    """(documents, 5) votes from (windows, 5) votes of windows; NaN for a document without a window.

    Each level has its own highest windows. A document of one window has that window's vote.

    Args:
        document: (windows,) int, whose window it is, in ascending order.
        margin: log-odds by which the mean of the two highest windows may fall below the highest.
        discount: log-odds taken off for each doubling of the windows beyond two, up to :data:`DISCOUNTED_WINDOWS`.
    """
    pooled = np.full((documents, logits.shape[1]), np.nan, np.float32)
    first = np.searchsorted(document, np.arange(documents + 1))
    for index in range(documents):
        own = logits[first[index] : first[index + 1]]
        if len(own) > 1:
            highest = np.partition(own, -2, axis=0)[-2:]
            less = discount * doublings(len(own))
            pooled[index] = np.maximum(highest.mean(0), highest[1] - margin) - less
        elif len(own):
            pooled[index] = own[0]
    return pooled


def doublings(windows: int) -> float:
    """How often two windows were doubled to get so many, up to :data:`DISCOUNTED_WINDOWS`; 0 for one or two."""
    return float(np.log2(min(max(windows, 2), DISCOUNTED_WINDOWS) / 2))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """(n, 5) log-odds of levels 1-5 or above from the probabilities (n, 6) of each level."""
    reached = probabilities[:, :0:-1].cumsum(1)[:, ::-1]
    below = probabilities.cumsum(1)[:, :-1]
    return np.log(reached + 1e-9) - np.log(below + 1e-9)
