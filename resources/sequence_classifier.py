"""A released classifier of texts, used as it is: it reads windows as an encoder does, and its features are its logits.

For ``locuslab/safety-classifier_gte-large-en-v1.5`` and its like: six classes, one for each safety level. Windows,
batches and threads are those of ``encoder.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resources.encoder import TextEncoder, loading_arguments
from resources.encoder_adapter import EncoderAdapter
from resources.errors import ModelStoreError
from resources.model_code import encoder_folder
from resources.profile import EncoderProfile

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from torch import Tensor

__all__ = ["SequenceClassifier", "open_sequence_classifier"]

# Safety levels 0-5.
CLASSES = 6


def open_sequence_classifier(profile: EncoderProfile, models_cache: Path) -> SequenceClassifier:
    """Load the classifier that a profile names. Takes seconds: once per process.

    Raises:
        ModelStoreError: the model is not there, has no head of six classes, or has no fast tokenizer.
    """
    local = encoder_folder(profile, models_cache)
    import torch
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(str(local.folder), **loading_arguments(profile))
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelStoreError(
            f"The classifier {profile.model} could not be loaded ({type(error).__name__}: {error}): give a folder "
            "with a sequence classification model, and trust_remote_code if the model needs it."
        ) from error
    # A model without a head would be given one of random weights, and its scores would mean nothing.
    trained = any("SequenceClassification" in name for name in model.config.architectures or ())
    if not trained or model.num_labels != CLASSES:
        raise ModelStoreError(
            f"The model {profile.model} is no classifier of {CLASSES} safety levels: give one that is, or set "
            "encoder.kind to embedding and train a head."
        )
    return SequenceClassifier(
        model,
        local,
        batch_tokens=profile.batch_tokens,
        query_prefix=profile.query_prefix,
        mixed=profile.dtype == "auto" and profile.device == "cpu" and torch.cpu._is_amx_tile_supported(),
    )


class SequenceClassifier(TextEncoder):
    """An encoder whose ``embeddings`` are the logits (windows, 6) of the levels 0-5, not of length 1."""

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(rows, 6) float32 logits of a batch from :meth:`padded`."""
        return self.network(dict(batch))["scores"].float()

    def adapted(self, adapter: EncoderAdapter) -> TextEncoder:
        """There is no adapter for logits.

        Raises:
            ModelStoreError: always.
        """
        raise ModelStoreError(
            f"The classifier {self.name} takes no adapter: materialise safety_classifier again with this encoder."
        )

    @staticmethod
    def _width(model: CrossEncoder) -> int:
        return model.num_labels
