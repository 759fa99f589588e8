"""A head of six classes as a classifier: of an encoder that was trained with it, or of a released one.

As in the paper (SP appendix B) the highest window of a document counts and words have no vote of their own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from safety_assets.harms import LEVELS, HarmCategory
from safety_assets.scoring.calibration import Calibration
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.head_training import calibrated
from safety_assets.scoring.plain_text import plain_text
from safety_assets.scoring.reading import DocumentReader, Encoder
from safety_assets.scoring.weights import Linear, fit_linear

__all__ = ["classifier_of_head", "released_classifier"]

CATEGORY_STRENGTH = 10.0


def released_classifier(
    encoder: Encoder, words: SafetyClassifier, examples: Examples, window_tokens: int
) -> SafetyClassifier:
    """A released classifier as it is: its logits are the features of ``resources/sequence_classifier.py``.

    Raises:
        ValueError: an encoder whose features are something else.
    """
    if encoder.dimension != len(LEVELS):
        raise ValueError(
            f"The encoder {encoder.name} has {encoder.dimension} features and not the logits of {len(LEVELS)} levels: "
            "set encoder.kind to classifier, or scoring.training to head or encoder."
        )
    head = Linear(np.eye(len(LEVELS), dtype=np.float32), np.zeros(len(LEVELS), np.float32))
    return classifier_of_head(encoder, head, words, examples, window_tokens)


def classifier_of_head(
    encoder: Encoder, head: Linear, words: SafetyClassifier, examples: Examples, window_tokens: int
) -> SafetyClassifier:
    """A classifier over an encoder whose head (6, features) is there, calibrated on annotations.

    Args:
        words: a classifier whose words are taken over for the second judgement; here they have no vote.
        examples: the split ``train`` teaches the categories, ``calibration`` the probabilities and thresholds; with too
            few of those, a level is given where the head holds it or a higher one likelier than not.
    """
    start = SafetyClassifier(
        head=head,
        lexical=words.lexical,
        lexical_weight=0.0,
        category=Linear(np.zeros((1, encoder.dimension), np.float32), np.zeros(1, np.float32)),
        categories=(HarmCategory.OTHER.value,),
        calibration=Calibration(np.ones(5), np.zeros(5)),
        thresholds=dict.fromkeys(LEVELS[1:], 0.5),
        window_tokens=window_tokens,
        margin=0.0,
    )
    named = _with_categories(start, DocumentReader(encoder, start), examples.split("train"))
    return calibrated(named, DocumentReader(encoder, named), examples.split("calibration"))


def _with_categories(
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
    return replace(classifier, category=category, categories=tuple(categories))
