"""The classifier that a profile asks for: packaged, moved by one's own annotations, trained whole, or released."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.encoders import encoders_home
from resources.model_resources import ModelsResource, models_cache
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.encoder_classifier import classifier_of_head, released_classifier
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.head_training import retrain_head, train_head
from safety_assets.scoring.packaged import PACKAGED_ENCODER, packaged_classifier
from safety_assets.scoring.reading import Encoder

if TYPE_CHECKING:
    from safety_assets.scoring.encoder_training import EpochLoss

__all__ = ["ChosenClassifier", "EpochProgress", "choose_classifier"]

EpochProgress = Callable[["EpochLoss"], None] | None


@dataclass(frozen=True)
class ChosenClassifier:
    """A classifier with its encoder; ``facts`` are numbers of its training."""

    encoder: Encoder
    classifier: SafetyClassifier
    facts: dict[str, Any]


def choose_classifier(
    models: ModelsResource, examples: Examples, progress: EpochProgress = None
) -> ChosenClassifier:
    """Train, or take, what ``scoring.training`` of the profile says; see ``Profile.classifier_training``.

    Raises:
        ValueError: the annotations or the encoder do not suit it.
        ModelStoreError: the encoder cannot be loaded.
    """
    profile, packaged = models.profile(), packaged_classifier()
    weight, tokens = profile.scoring.positive_weight, profile.encoder.training.window_tokens
    if profile.classifier_training == "encoder":
        # Imports torch.
        from safety_assets.scoring.encoder_training import train_encoder

        trained = train_encoder(profile.encoder, models_cache(), examples, encoders_home(), progress)
        encoder = models.encoder(trained.folder.name)
        found = classifier_of_head(encoder, trained.head, packaged, examples, tokens)
        last = trained.curve[-1]
        facts = {"best_epoch": trained.best_epoch, "epochs": last.epoch, "held_out_loss": last.held_out}
        return ChosenClassifier(encoder, found.identified("trained-encoder"), facts)
    encoder = models.encoder()
    if profile.classifier_training == "released":
        found = released_classifier(encoder, packaged, examples, tokens)
        return ChosenClassifier(encoder, found.identified("released"), {})
    if encoder.name != PACKAGED_ENCODER:
        if profile.classifier_training == "packaged":
            raise ValueError(
                f"The packaged classifier is made for {PACKAGED_ENCODER} and not for {encoder.name}: set "
                "scoring.training to head or encoder."
            )
        learned = train_head(encoder, packaged, examples, weight)
        return ChosenClassifier(encoder, learned.identified("trained-head"), {})
    moved = packaged
    if profile.classifier_training == "head":
        moved = retrain_head(packaged, encoder, examples, weight)
    return ChosenClassifier(
        encoder, packaged if moved is packaged else moved.identified("retrained-head"), {}
    )
