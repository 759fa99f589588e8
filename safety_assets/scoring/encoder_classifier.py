"""A head of six classes as a classifier: of an encoder that was trained with it, or of a released one.

As in the paper (SP appendix B) the highest window of a document counts and words have no vote of their own.
"""

from __future__ import annotations

import numpy as np

from safety_assets.harms import LEVELS
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.head_training import calibrated, uncalibrated, with_categories
from safety_assets.scoring.reading import DocumentReader, Encoder
from safety_assets.scoring.weights import Linear

__all__ = ["classifier_of_head", "released_classifier"]


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
    start = uncalibrated(head, words, encoder.dimension, window_tokens)
    named = with_categories(start, DocumentReader(encoder, start), examples.split("train"))
    return calibrated(named, DocumentReader(encoder, named), examples.split("calibration"))
