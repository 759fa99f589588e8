"""Training the head on annotations, the encoder as it is (SP appendix B, first stage).

Where there is a packaged classifier for the encoder, it is where training begins and what it is drawn back to: a few
hundred labels move it, they do not replace what it learned from a hundred thousand. Elsewhere the head is learned from
nothing, beside the packaged words, which know no encoder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from safety_assets.harms import LEVELS, HarmCategory
from safety_assets.scoring.calibration import Calibration, fit_calibration, fit_thresholds
from safety_assets.scoring.classifier import SafetyClassifier, doublings
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.plain_text import plain_text
from safety_assets.scoring.reading import DocumentReader, Encoder, Votes
from safety_assets.scoring.weights import Linear, fit_linear, sigmoid

__all__ = ["calibrated", "retrain_head", "train_head", "uncalibrated", "with_categories"]

# Drawn back to where training began with each of these; the one that suits the calibration split best is kept ...
STRENGTHS = (3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
# ... if held-out documents are likelier by this many standard errors: labels may be few, or senseless.
CLEARLY = 2.0
# A document's highest windows are chosen anew after each round, as the head has moved.
ROUNDS = 3
CATEGORY_STRENGTH = 10.0
# Calibrating on fewer documents of level 3 and above, or below it, would follow chance; so would choosing on fewer in all.
LEAST_TO_CALIBRATE = 20
LEAST_OF_LEVEL = 5
# Weight of the words beside a head that has only just been learned.
LEXICAL_WEIGHT = 0.3


def retrain_head(
    start: SafetyClassifier, encoder: Encoder, examples: Examples, positive_weight: float
) -> SafetyClassifier:
    """Move a classifier's head towards annotations that it has not learned from; without any it stays as it is.

    Args:
        start: the packaged classifier.
        examples: its ``own`` ones train; the split ``calibration`` of those says how far to go, and calibrates.
        positive_weight: loss weight of examples with score > 0 (lambda in SP appendix B).
    """
    train, held_out = examples.own.split("train"), examples.own.split("calibration")
    if not len(train) or len(held_out) < LEAST_TO_CALIBRATE:
        return start
    moved = _best_head(start, DocumentReader(encoder, start), train, held_out, positive_weight)
    return start if moved is start else calibrated(moved, DocumentReader(encoder, moved), held_out)


def train_head(
    encoder: Encoder, words: SafetyClassifier, examples: Examples, positive_weight: float
) -> SafetyClassifier:
    """A head over an encoder that has none.

    Args:
        words: a classifier whose lexical vote is taken over.
        examples: the splits ``train`` and ``calibration``.

    Raises:
        ValueError: a level without examples to train on.
    """
    train, held_out = examples.split("train"), examples.split("calibration")
    missing = sorted(set(LEVELS) - set(train.scores.tolist()))
    if missing:
        raise ValueError(f"No training examples of level {missing}: add annotations of every level 0-5.")
    # Words join when the head is learned: they know the packaged seeds, and would leave it nothing to learn.
    nothing = Linear(np.zeros((5, encoder.dimension), np.float32), np.zeros(5, np.float32))
    start = replace(
        uncalibrated(nothing, words, encoder.dimension, words.window_tokens),
        margin=words.margin,
        discount=words.discount,
    )
    reader = DocumentReader(encoder, start)
    head = replace(
        _best_head(start, reader, train, held_out, positive_weight, may_stay=False),
        lexical_weight=LEXICAL_WEIGHT,
    )
    named = with_categories(head, DocumentReader(encoder, head), train)
    return calibrated(named, DocumentReader(encoder, named), held_out)


def uncalibrated(
    head: Linear, words: SafetyClassifier, dimension: int, window_tokens: int
) -> SafetyClassifier:
    """A classifier of a head alone, which takes the highest window: every category is ``other``, and a level is given where
    it or a higher one is likelier than not.

    Args:
        words: a classifier whose words are taken over for the second judgement; here they have no vote.
        dimension: of the encoder's features.
    """
    return SafetyClassifier(
        head=head,
        lexical=words.lexical,
        lexical_weight=0.0,
        category=Linear(np.zeros((1, dimension), np.float32), np.zeros(1, np.float32)),
        categories=(HarmCategory.OTHER.value,),
        calibration=Calibration(np.ones(5), np.zeros(5)),
        thresholds=dict.fromkeys(LEVELS[1:], 0.5),
        window_tokens=window_tokens,
        margin=0.0,
        discount=0.0,
    )


def with_categories(
    classifier: SafetyClassifier, reader: DocumentReader, train: Examples
) -> SafetyClassifier:
    """Categories learned on the worst windows of unsafe documents; as it was where there are not two to tell apart."""
    unsafe = train.part(train.scores > 0)
    votes = reader.votes([plain_text(text).text for text in unsafe.texts])
    worst = {index: votes.worst_window(index) for index in range(len(unsafe))}
    read = [index for index, window in worst.items() if window is not None]
    if len(set(unsafe.categories[read])) < 2:
        return classifier
    features = votes.encoded.embeddings[[worst[index] for index in read]]
    category, categories = fit_linear(features, unsafe.categories[read], strength=CATEGORY_STRENGTH)
    if len(categories) == 2:
        # Of two classes there is one row, the log-odds of the second.
        category = Linear(
            np.concatenate([np.zeros_like(category.coefficients), category.coefficients]),
            np.concatenate([np.zeros_like(category.intercepts), category.intercepts]),
        )
    return replace(classifier, category=category, categories=tuple(categories))


def calibrated(classifier: SafetyClassifier, reader: DocumentReader, held_out: Examples) -> SafetyClassifier:
    """The classifier with probabilities and thresholds from held-out annotations, where there are enough of them.

    A level that few of them reach keeps its threshold: fitted on none, it would never be given again.
    """
    high = int((held_out.scores >= 3).sum())
    if min(high, len(held_out) - high) < LEAST_TO_CALIBRATE:
        return classifier
    logits = reader.document_logits(list(held_out.texts))
    usable = np.isfinite(logits).all(1)
    logits, scores = logits[usable], held_out.scores[usable]
    calibration = fit_calibration(logits, scores)
    thresholds = fit_thresholds(calibration.probabilities(logits), scores)
    kept = {
        level: least
        for level, least in classifier.thresholds.items()
        if (scores >= level).sum() < LEAST_OF_LEVEL
    }
    return replace(classifier, calibration=calibration, thresholds={**thresholds, **kept})


def _best_head(
    start: SafetyClassifier,
    reader: DocumentReader,
    train: Examples,
    held_out: Examples,
    positive_weight: float,
    *,
    may_stay: bool = True,
) -> SafetyClassifier:
    """Of heads drawn back more or less strongly, the one under which held-out levels are likeliest.

    Where it ``may_stay`` the start is kept unless they are clearly likelier.
    """
    votes, unseen = (
        reader.votes([plain_text(text).text for text in part.texts]) for part in (train, held_out)
    )
    words = votes.logits - (1 - start.lexical_weight) * start.head.logits(votes.encoded.embeddings)
    weights = np.where(train.scores > 0, positive_weight, 1.0)
    begun = _surprise(start, unseen, held_out.scores)
    tried: list[tuple[SafetyClassifier, np.ndarray]] = []
    for strength in STRENGTHS:
        head = start.head
        for _ in range(ROUNDS):
            before, head = head, _fitted(start, head, strength, votes, words, train.scores, weights)
            if np.allclose(before.coefficients, head.coefficients, atol=1e-3):
                break
        moved = replace(start, head=head)
        tried.append((moved, _surprise(moved, unseen, held_out.scores)))
    best, least = min(tried, key=lambda one: float(one[1].mean()))
    gain = begun - least
    clearly = gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain))
    return best if clearly or not may_stay else start


def _fitted(
    start: SafetyClassifier,
    head: Linear,
    strength: float,
    votes: Votes,
    words: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
) -> Linear:
    """One logistic regression per level, on the features of each document's highest windows under ``head``."""
    features, share = votes.encoded.embeddings, 1 - start.lexical_weight
    logits = share * head.logits(features) + words
    count = 2 if start.margin else 1
    first = np.searchsorted(votes.encoded.document, np.arange(len(scores) + 1))
    used = np.flatnonzero(first[1:] > first[:-1])
    # What the vote loses by the number of windows, whatever they say.
    less = start.discount * np.array([doublings(first[index + 1] - first[index]) for index in used])
    rows = []
    for level in range(5):
        chosen = [
            first[index] + np.argsort(-logits[first[index] : first[index + 1], level], kind="stable")[:count]
            for index in used
        ]
        problem = _Logistic(
            features=share * np.stack([np.append(features[windows].mean(0), 1.0) for windows in chosen]),
            given=np.array([words[windows, level].mean() for windows in chosen]) - less,
            truth=(scores[used] > level).astype(float),
            weights=weights[used] / weights[used].sum(),
            origin=_row(start.head, level),
            strength=strength,
        )
        rows.append(problem.solved(_row(head, level)))
    found = np.stack(rows).astype(np.float32)
    return Linear(found[:, :-1], found[:, -1])


@dataclass(frozen=True)
class _Logistic:
    """Weighted logistic regression beside a given vote, drawn back to where it began.

    ``features`` (n, size), ``given``, ``truth`` and ``weights`` (n,), ``origin`` (size,).
    """

    features: np.ndarray
    given: np.ndarray
    truth: np.ndarray
    weights: np.ndarray
    origin: np.ndarray
    strength: float

    def solved(self, begun: np.ndarray) -> np.ndarray:
        """(size,) coefficients."""
        from scipy.optimize import minimize

        return minimize(self._loss, begun, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x

    def _loss(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        found = self.features @ vector + self.given
        surprise = self.weights @ (np.logaddexp(0, found) - self.truth * found)
        back = vector - self.origin
        gradient = self.features.T @ (self.weights * (sigmoid(found) - self.truth))
        return float(surprise + self.strength / 2 * back @ back), gradient + self.strength * back


def _row(head: Linear, level: int) -> np.ndarray:
    return np.append(head.coefficients[level], head.intercepts[level]).astype(np.float64)


def _surprise(classifier: SafetyClassifier, votes: Votes, scores: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each document's levels once calibrated, over documents with windows: how often a level
    occurs is for calibration, not for the head, to learn."""
    logits = classifier.window_logits(votes.pieces, votes.encoded.embeddings)
    pooled = classifier.document_logits(logits, votes.encoded.document, len(scores))
    usable = np.isfinite(pooled).all(1)
    pooled, scores = pooled[usable], scores[usable]
    likely = fit_calibration(pooled, scores).probabilities(pooled).clip(1e-6, 1 - 1e-6)
    truth = scores[:, None] > np.arange(5)
    return -np.where(truth, np.log(likely), np.log(1 - likely)).sum(1)
