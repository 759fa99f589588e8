"""Fitting everything that turns evidence into scores, on the annotations, into one row of ``safety_classifier``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from resources.lake import Lake, PartitionVersion, Provenance
from resources.model_resources import ModelsResource
from safety_assets.generation import AnswerStore, Usage
from safety_assets.scoring.classifier import Examples, metrics_of, train_classifier
from safety_assets.scoring.confirmation import confirmation_facts, harm_log_odds, train_confirmation
from safety_assets.scoring.llm_scorer import calibration_facts, digit_log_probabilities, fit_llm_calibration

__all__ = ["examples_of", "fit_classifier"]


def fit_classifier(
    lake: Lake,
    versions: Mapping[str, PartitionVersion],
    models: ModelsResource,
    store: AnswerStore,
    usage: Usage,
    provenance: Provenance,
    progress: Callable[[Usage], None] | None = None,
) -> tuple[PartitionVersion, dict[str, Any]]:
    """Train the classifier, calibrate the language model, train the second judgement; returns version and metrics.

    The language model is asked with the rubric, and with the question of the second judgement.

    Raises:
        ValueError: too few annotations.
        LanguageModelError: the model cannot be used at all.
    """
    with lake.report("annotations", versions=versions) as reader:
        rows = reader.read_all().to_pylist()
    encoder, settings = models.encoder(), models.profile().scoring
    examples = examples_of(rows, encoder)
    model = models.language_model()
    classifier = train_classifier(examples, positive_weight=settings.positive_weight)
    # The language model is not trained, so it is asked only about what calibrates and what tests it.
    evidence = {}
    for split in ("calibration", "test"):
        documents = [(row["annotation_id"], row["text"]) for row in rows if row["split"] == split]
        asked = (documents, model, store, usage)
        evidence[split] = (
            digit_log_probabilities(*asked, max_chars=settings.llm_max_chars, progress=progress),
            harm_log_odds(*asked, max_chars=settings.llm_max_chars),
        )
    calibration = fit_llm_calibration(evidence["calibration"][0], examples.split("calibration").scores)
    confirmation = train_confirmation(examples, evidence["calibration"][1])
    held_out = examples.split("test")
    digits, odds = evidence["test"]
    levels = classifier.score_windows(held_out.texts, held_out.embeddings).levels
    metrics = metrics_of(classifier, held_out) | calibration_facts(calibration, digits, held_out.scores)
    metrics["confirmation"] = confirmation_facts(confirmation, levels, held_out, odds)
    row = {
        "shard": provenance.partition,
        "version": classifier.version,
        "encoder": encoder.name,
        "encoder_revision": encoder.revision,
        "head": classifier.to_bytes(),
        "confirmation": confirmation.to_bytes(),
        "llm_thresholds": json.dumps(calibration.thresholds),
        "metrics": json.dumps(metrics),
        "annotations_snapshot_id": versions["safety_annotations"].snapshot_id,
    }
    batch = pa.RecordBatch.from_pylist([row], schema=lake.schema("safety_classifier"))
    return lake.replace_partition("safety_classifier", [batch], provenance), metrics


def examples_of(rows: list[dict[str, Any]], encoder) -> Examples:
    """Annotations as single windows: a longer text is the normalised mean of its windows' embeddings."""
    texts = [row["text"] for row in rows]
    encoded = encoder.encode(texts)
    sums = np.zeros((len(texts), encoder.dimension), np.float32)
    np.add.at(sums, encoded.document, encoded.embeddings)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return Examples(
        texts=texts,
        embeddings=sums / np.maximum(norms, 1e-9),
        scores=np.array([row["score"] for row in rows]),
        categories=np.array([row["category"] for row in rows]),
        splits=np.array([row["split"] for row in rows]),
    )
