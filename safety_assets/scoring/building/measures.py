"""How good the packaged head is, with intervals: the numbers of its model card.

The oracle's texts set calibration and thresholds, so whatever depends on those is measured in five folds; the harmless
pages that set them are one half, those that are measured the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from safety_assets.scoring.building.build import Logits, operating_point
from safety_assets.scoring.building.examination import Examination, LabelledText
from safety_assets.scoring.building.sources import WRITTEN, SourceText
from safety_assets.scoring.building.statistics import (
    DRAWS,
    Measure,
    auroc_measure,
    drawn_measure,
    macro_f1,
    share_measure,
    spread_measure,
)
from safety_assets.scoring.building.targets import REQUESTS, soft_target
from safety_assets.scoring.calibration import (
    expected_calibration_error,
    levels_of,
)
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.reading import DocumentReader

__all__ = ["folds", "measure"]

FOLDS = 5
ALARMS = 0.03
# The source that most of the oracle's unsafe texts come from: within it, source says nothing about level.
MAIN_SOURCE = "multiling-safety-700"
DECILES = 10


@dataclass(frozen=True)
class Folded:
    """What five-fold thresholds say: ``levels`` and P(level >= 3) of the oracle's texts, and shares of harmless pages.

    ``alarms`` (4, 2): shares of the held-out half of general and of health pages given level 1-4 or above.
    """

    levels: np.ndarray
    probability: np.ndarray
    alarms: np.ndarray


def measure(
    classifier: SafetyClassifier, reader: DocumentReader, logits: Logits, examination: Examination
) -> list[Measure]:
    """Everything that the model card tells."""
    return [
        *_oracle(logits, examination),
        *_deciles(logits, examination),
        *_flagged(classifier, logits, examination),
        *_held_back(logits, examination.held_back),
        *_written(classifier, logits, examination.held_back),
        *_seeds(classifier, logits, examination),
        *_categories(reader, "oracle", examination.oracle),
        *_categories(reader, "seeds (test)", examination.seeds),
    ]


def folds(scores: np.ndarray, seed: int = 1) -> np.ndarray:
    """(n,) fold 0-4 of each text, every level spread evenly."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(scores), int)
    for score in np.unique(scores):
        own = rng.permutation(np.flatnonzero(scores == score))
        fold[own] = np.arange(len(own)) % FOLDS
    return fold


def _oracle(logits: Logits, examination: Examination) -> Iterator[Measure]:
    scores = np.array([item.score for item in examination.oracle])
    main = np.array([item.source == MAIN_SOURCE for item in examination.oracle])
    high, low = scores >= 3, scores <= 1
    votes = logits.oracle[:, 2]
    yield auroc_measure("oracle: AUROC, >= 3 against <= 1", votes[high], votes[low])
    yield auroc_measure("oracle: the same within its main source", votes[high & main], votes[low & main])
    yield auroc_measure(
        "oracle: AUROC, >= 4 against the rest", logits.oracle[scores >= 4, 3], logits.oracle[scores < 4, 3]
    )
    recalls, alarms = _at_alarms(votes[high], logits.benign[:, 2], logits.health[:, 2])
    yield spread_measure(
        "oracle: recall of >= 3 at 3 % alarms on one half of harmless pages", recalls, int(high.sum())
    )
    yield spread_measure("general pages: alarms on the other half", alarms, len(logits.benign) // 2)
    folded = _five_fold(logits, scores)
    said = folded.levels
    yield drawn_measure("five-fold: macro F1", macro_f1, scores, said)
    for level in (1, 3, 4):
        yield share_measure(f"five-fold: recall of >= {level}", said[scores >= level] >= level)
    for level in (3, 4):
        yield share_measure(f"five-fold: precision of >= {level}", scores[said >= level] >= level)
    yield share_measure("five-fold: >= 4 that are >= 3 to the oracle", scores[said >= 4] >= 3)
    yield Measure(
        "five-fold: calibration error of P(>= 3)",
        expected_calibration_error(folded.probability, high),
        len(scores),
    )
    for level, (general, health) in enumerate(folded.alarms, 1):
        yield Measure(f"five-fold: general pages given >= {level}", general, len(logits.benign) // 2)
        yield Measure(f"five-fold: health pages given >= {level}", health, len(logits.health) // 2)


def _five_fold(logits: Logits, scores: np.ndarray) -> Folded:
    """Calibration and thresholds from four folds and half of the general pages, applied to the fifth and the rest."""
    fold = folds(scores)
    levels, probability, alarms = np.zeros(len(scores), int), np.zeros(len(scores)), []
    general, health = logits.benign, logits.health
    for held_out in range(FOLDS):
        rest, own = fold != held_out, fold == held_out
        calibration, thresholds = operating_point(logits.oracle[rest], scores[rest], general[::2])
        reached = calibration.probabilities(logits.oracle[own])
        levels[own], probability[own] = levels_of(reached, thresholds), reached[:, 2]
        unseen = [levels_of(calibration.probabilities(part[1::2]), thresholds) for part in (general, health)]
        alarms.append([[(part >= level).mean() for part in unseen] for level in range(1, 5)])
    return Folded(levels, probability, np.mean(alarms, axis=0))


def _deciles(logits: Logits, examination: Examination) -> Iterator[Measure]:
    scores = np.array([item.score for item in examination.oracle])
    chars = np.array([len(item.text) for item in examination.oracle])
    edges = np.quantile(chars, np.linspace(0, 1, DECILES + 1)[1:-1])
    # Texts were cut at the same length: the last deciles may be one.
    decile = np.searchsorted(np.unique(edges), chars)
    for index in np.unique(decile):
        own = decile == index
        high, low = logits.oracle[own & (scores >= 3), 2], logits.oracle[own & (scores <= 1), 2]
        if len(high) and len(low):
            yield auroc_measure(f"oracle: AUROC, {chars[own].min()}-{chars[own].max()} characters", high, low)


def _flagged(classifier: SafetyClassifier, logits: Logits, examination: Examination) -> Iterator[Measure]:
    parts = (
        ("general pages", logits.benign, examination.benign),
        ("health pages", logits.health, examination.health),
        ("harmless prompts that sound harmful", logits.prompts, examination.prompts),
        ("harmful requests", logits.requests, examination.requests),
    )
    for name, votes, items in parts:
        levels = classifier.levels(classifier.probabilities(votes))
        for source in sorted({item.source for item in items}):
            own = np.array([item.source == source for item in items])
            for level in (1, 3):
                yield share_measure(
                    f"stored thresholds: {name} ({source}) given >= {level}", levels[own] >= level
                )
    for source in sorted({item.source for item in examination.requests}):
        own = np.array([item.source == source for item in examination.requests])
        yield auroc_measure(
            f"AUROC: {source} against harmless prompts", logits.requests[own, 2], logits.prompts[:, 2]
        )


def _held_back(logits: Logits, texts: Sequence[SourceText]) -> Iterator[Measure]:
    """How far the sources' own classes are apart on texts held back."""

    def votes(keep: Callable[[SourceText], bool]) -> np.ndarray:
        return logits.held_back[[keep(text) for text in texts], 2]

    def most(text: SourceText, vote: int) -> bool:
        return text.source == "davidson" and int(np.argmax(text.votes)) == vote

    neither = votes(lambda text: most(text, 2))
    yield auroc_measure(
        "held back: davidson, hate against neither", votes(lambda text: most(text, 0)), neither
    )
    yield auroc_measure(
        "held back: davidson, offensive against neither", votes(lambda text: most(text, 1)), neither
    )
    sexist = votes(lambda text: text.source == "edos" and text.label != "none")
    not_sexist = votes(lambda text: text.source == "edos" and text.label == "none")
    yield auroc_measure("held back: edos, sexist against not", sexist, not_sexist)
    for source in ("perspective-wiki2k", "rtp-2400"):
        toxic = votes(lambda text, source=source: text.source == source and text.toxicity > 0.7)
        calm = votes(lambda text, source=source: text.source == source and text.toxicity < 0.3)
        yield auroc_measure(f"held back: {source}, toxicity > 0.7 against < 0.3", toxic, calm)
    hate = votes(lambda text: text.source == "toxigen-demos" and text.label == "hate")
    neutral = votes(lambda text: text.source == "toxigen-demos" and text.label == "neutral")
    yield auroc_measure("held back: toxigen-demos, hate against neutral", hate, neutral)
    requests = votes(lambda text: text.source in REQUESTS and soft_target(text)[2] > 0.5)
    yield auroc_measure(
        "held back: harmful requests against harmless prompts", requests, logits.prompts[:, 2]
    )


def _written(classifier: SafetyClassifier, logits: Logits, texts: Sequence[SourceText]) -> Iterator[Measure]:
    """How far the levels of texts written for training are apart, on those held back; registers are the training's."""
    scores = np.array([-1 if text.score is None else text.score for text in texts])
    names, votes = np.array([text.source for text in texts]), logits.held_back[:, 2]
    for name in WRITTEN:
        high, low = (votes[(names == name) & part] for part in (scores >= 3, (scores == 0) | (scores == 1)))
        if len(high) and len(low):
            yield auroc_measure(f"held back: {name}, >= 3 against <= 1", high, low)
    own = scores >= 0
    levels = classifier.levels(classifier.probabilities(logits.held_back[own]))
    yield drawn_measure("held back: written texts, macro F1", macro_f1, scores[own], levels)
    yield share_measure("held back: written texts of 0 given >= 3", levels[scores[own] == 0] >= 3)


def _seeds(classifier: SafetyClassifier, logits: Logits, examination: Examination) -> Iterator[Measure]:
    scores = np.array([item.score for item in examination.seeds])
    yield auroc_measure(
        "seeds (test): AUROC, >= 3 against <= 1", logits.seeds[scores >= 3, 2], logits.seeds[scores <= 1, 2]
    )
    levels = classifier.levels(classifier.probabilities(logits.seeds))
    yield drawn_measure("seeds (test): macro F1", macro_f1, scores, levels)
    yield share_measure("seeds (test): harmless ones given >= 1", levels[scores == 0] >= 1)


def _categories(reader: DocumentReader, name: str, items: Sequence[LabelledText]) -> Iterator[Measure]:
    """Of unsafe texts, the category of the worst window, whatever level the text is given."""
    unsafe = [item for item in items if item.score > 0]
    votes = reader.votes([item.text for item in unsafe])
    worst = [votes.worst_window(index) for index in range(len(unsafe))]
    said = np.array(reader.classifier.categorise(votes.encoded.embeddings[worst])[0])
    truth = np.array([item.category for item in unsafe])
    yield share_measure(f"category, {name}: accuracy", said == truth)

    def mean_f1(truth: np.ndarray, said: np.ndarray) -> float:
        both = [
            ((said == one) & (truth == one)).sum() * 2 / ((said == one).sum() + (truth == one).sum())
            for one in set(truth)
        ]
        return float(np.mean(both))

    yield drawn_measure(f"category, {name}: macro F1 over those there", mean_f1, truth, said)


def _at_alarms(high: np.ndarray, general: np.ndarray, health: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(draws,) recall, and alarms on the other half of general pages, at a threshold from random halves of both."""
    rng = np.random.default_rng(0)
    recalls, alarms = [], []
    for _ in range(DRAWS):
        first, second = rng.permutation(general), rng.permutation(health)
        threshold = max(np.quantile(part[: len(part) // 2], 1 - ALARMS) for part in (first, second))
        recalls.append((high > threshold).mean())
        alarms.append((first[len(first) // 2 :] > threshold).mean())
    return np.array(recalls), np.array(alarms)
