"""Fitting everything that turns evidence into scores, on the annotations, into one row of ``safety_classifier``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from resources.lake import Lake, PartitionVersion, Provenance
from resources.model_resources import ModelsResource
from safety_assets.generation import AnswerStore, Usage
from safety_assets.scoring.calibration import expected_calibration_error, reached_probabilities, reliability
from safety_assets.scoring.choose import EpochProgress, choose_classifier
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.confirmation import confirmation_facts, harm_log_odds, train_confirmation
from safety_assets.scoring.ensemble import Combination, Opinions, compare_ensembles, fit_combination
from safety_assets.scoring.examples import Examples, examples_of
from safety_assets.scoring.llm_scorer import (
    LlmCalibration,
    calibration_facts,
    digit_log_probabilities,
    fit_llm_calibration,
)
from safety_assets.scoring.metrics import metrics_of
from safety_assets.scoring.operating_points import operating_point, sweep
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.sweep_page import SweepReport
from safety_assets.scoring.weights import softmax

__all__ = ["FittedClassifier", "fit_classifier"]

# The level whose recall a target is of: moderate, from which text is harmful.
TARGET_LEVEL = 3
# Recall targets that the page shows beside the one that was asked for.
SHOWN_TARGETS = (0.5, 0.75, 0.9)

Progress = Callable[[Usage], None] | None


@dataclass(frozen=True)
class FittedClassifier:
    """The version that was written, how well it does on the test split, and its sweep as a page shows it."""

    version: PartitionVersion
    metrics: dict[str, Any]
    report: SweepReport


@dataclass(frozen=True)
class _Answers:
    """What the language model said of the examples of a split: digits (n, 6), and of their worst windows, ``passages``,
    log-odds of harm (n,)."""

    digits: np.ndarray
    passages: list[str]
    odds: np.ndarray


def fit_classifier(
    lake: Lake,
    versions: Mapping[str, PartitionVersion],
    models: ModelsResource,
    store: AnswerStore,
    usage: Usage,
    provenance: Provenance,
    progress: Progress = None,
    epochs: EpochProgress = None,
) -> FittedClassifier:
    """Train the classifier, calibrate the language model and both together, and train the second judgement.

    The language model is asked with the rubric, and with the question of the second judgement.

    Raises:
        ValueError: too few annotations.
        LanguageModelError: the model cannot be used at all.
    """
    with lake.report("annotations", versions=versions) as reader:
        rows = reader.read_all().to_pylist()
    settings, examples = models.profile().scoring, examples_of(rows)
    chosen = choose_classifier(models, examples, epochs)
    encoder, reading = chosen.encoder, DocumentReader(chosen.encoder, chosen.classifier)
    # The language model is not trained, so it is asked only about what calibrates and what tests it.
    held_out, test = examples.split("calibration"), examples.split("test")
    answers = {
        split: _asked(
            [(row["annotation_id"], row["text"]) for row in rows if row["split"] == split],
            reading,
            models,
            store,
            usage,
            progress,
        )
        for split in ("calibration", "test")
    }
    if settings.recall_target is not None:
        harm = _embedding_opinions(reading, held_out).probabilities
        least = _threshold_for(settings.recall_target, harm, held_out.scores)
        reading = DocumentReader(encoder, _with_threshold(reading.classifier, least))
    classifier = reading.classifier
    llm = fit_llm_calibration(answers["calibration"].digits, held_out.scores)
    confirmation = train_confirmation(
        examples, answers["calibration"].passages, answers["calibration"].odds, classifier.lexical
    )
    opinions = {
        split: (_embedding_opinions(reading, part), _llm_opinions(llm, answers[split].digits))
        for split, part in (("calibration", held_out), ("test", test))
    }
    combination = fit_combination(*opinions["calibration"], held_out.scores)
    if settings.recall_target is not None and combination.informative:
        together = combination.opinions(*opinions["calibration"]).probabilities
        least = _threshold_for(settings.recall_target, together, held_out.scores)
        combination = replace(combination, thresholds=_thresholds_with(combination.thresholds, least))
    report = _report(reading, opinions["test"], test.scores, combination, settings.recall_target)
    levels = np.array([read.level or 0 for read in reading.read(list(test.texts))])
    metrics = (
        chosen.facts | metrics_of(reading, test) | calibration_facts(llm, answers["test"].digits, test.scores)
    )
    metrics["second_scorer_heard"] = int(combination.informative)
    metrics["confirmation"] = confirmation_facts(
        confirmation, levels, test.scores, answers["test"].passages, answers["test"].odds
    )
    row = {
        "shard": provenance.partition,
        "version": classifier.version,
        "encoder": encoder.name,
        "encoder_revision": encoder.revision,
        "head": classifier.to_bytes(),
        "confirmation": confirmation.to_bytes(),
        "llm_thresholds": json.dumps(llm.thresholds),
        "combination": json.dumps(combination.to_header()),
        "metrics": json.dumps(metrics),
        "annotations_snapshot_id": versions["safety_annotations"].snapshot_id,
    }
    batch = pa.RecordBatch.from_pylist([row], schema=lake.schema("safety_classifier"))
    return FittedClassifier(lake.replace_partition("safety_classifier", [batch], provenance), metrics, report)


def _asked(
    documents: Sequence[tuple[str, str]],
    reading: DocumentReader,
    models: ModelsResource,
    store: AnswerStore,
    usage: Usage,
    progress: Progress,
) -> _Answers:
    model, most = models.language_model(), models.profile().scoring.llm_max_chars
    # The second judgement looks at the worst window alone.
    worst = [
        (name, read.worst)
        for (name, _), read in zip(documents, reading.read([text for _, text in documents]), strict=True)
    ]
    return _Answers(
        digit_log_probabilities(documents, model, store, usage, max_chars=most, progress=progress),
        [passage for _, passage in worst],
        harm_log_odds(worst, model, store, usage, max_chars=most),
    )


def _threshold_for(target: float, probabilities: np.ndarray, scores: np.ndarray) -> float:
    """Of P(level >= 3), the threshold that finds a share ``target`` of the annotations that calibrate.

    Raises:
        ValueError: the target is out of reach.
    """
    harm = probabilities[:, TARGET_LEVEL - 1]
    known = np.isfinite(harm)
    choice = operating_point(sweep(harm[known], scores[known] >= TARGET_LEVEL), target)
    if choice.point is None:
        raise ValueError(
            f"scoring.recall_target of {target:g}: {choice.reason} Lower it, or add annotations."
        )
    return choice.point.threshold


def _thresholds_with(thresholds: Mapping[int, float], least: float) -> dict[int, float]:
    """The thresholds with this one of the target level; lower levels must not stand in its way."""
    lowered = {
        level: min(value, least) if level < TARGET_LEVEL else value for level, value in thresholds.items()
    }
    return {**lowered, TARGET_LEVEL: least}


def _with_threshold(classifier: SafetyClassifier, least: float) -> SafetyClassifier:
    """The classifier with this threshold of the target level."""
    name = classifier.version.split("@")[0]
    return replace(classifier, thresholds=_thresholds_with(classifier.thresholds, least)).identified(name)


def _embedding_opinions(reading: DocumentReader, part: Examples) -> Opinions:
    logits = reading.document_logits(list(part.texts))
    return Opinions(reading.classifier.probabilities(logits), reading.classifier.thresholds)


def _llm_opinions(llm: LlmCalibration, digits: np.ndarray) -> Opinions:
    return Opinions(reached_probabilities(softmax(digits.astype(np.float64))), llm.thresholds)


def _report(
    reading: DocumentReader,
    opinions: tuple[Opinions, Opinions],
    scores: np.ndarray,
    combination: Combination,
    target: float | None,
) -> SweepReport:
    """The sweep over the test split, with every way to combine the scorers."""
    known = opinions[0].scored
    harm, harmful = opinions[0].probabilities[known, TARGET_LEVEL - 1], scores[known] >= TARGET_LEVEL
    points = sweep(harm, harmful)
    return SweepReport(
        what=f"level {TARGET_LEVEL} or above",
        scorer=reading.version,
        documents=int(known.sum()),
        harmful=int(harmful.sum()),
        points=points,
        choices=[
            operating_point(points, share)
            for share in sorted({*SHOWN_TARGETS, *([target] if target else [])})
        ],
        bins=reliability(harm, harmful),
        error=expected_calibration_error(harm, harmful),
        ensembles=compare_ensembles(*opinions, scores, combination=combination),
    )
