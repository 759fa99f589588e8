"""Training the whole encoder on annotations (SP appendix B): the head alone for an epoch, then everything.

A training has a folder of its own, named by what decides its weights, and is renamed into place when all is written.
Until then what a rerun needs lies beside it after each epoch; on a CPU the rerun ends with the same weights. Imports
torch: import this where a step needs it.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resources.encoder import open_encoder
from resources.encoders import named_encoder
from resources.model_code import encoder_folder
from resources.model_store import LocalModel
from resources.profile import EncoderProfile, EncoderTraining
from safety_assets.harms import LEVELS
from safety_assets.scoring.encoder_batches import WindowedDocuments, windowed
from safety_assets.scoring.encoder_network import EncoderNetwork
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.weights import Linear

__all__ = ["EpochLoss", "TrainedEncoder", "train_encoder"]

# Raised when training changes, so that an old result is not taken for a new one.
TRAINING = 1
DONE, HEAD = "training.json", "head.npz"


@dataclass(frozen=True)
class EpochLoss:
    """Mean loss of an epoch's steps and, after it, of what is held out; epoch 0 is the head's."""

    epoch: int
    training: float
    held_out: float


@dataclass(frozen=True)
class TrainedEncoder:
    """A finished training.

    ``folder`` loads as a sentence encoder; ``head`` (6, dimension) gives the class logits of a window from its
    embedding of length 1; ``best_epoch`` is the one whose weights were kept.
    """

    folder: Path
    head: Linear
    best_epoch: int
    curve: tuple[EpochLoss, ...]

    def profile(self, base: EncoderProfile) -> EncoderProfile:
        """How to open it, given the profile that it was made from."""
        return named_encoder(base, self.folder.name, self.folder.parent)


def train_encoder(
    profile: EncoderProfile,
    models_cache: Path,
    examples: Examples,
    home: Path,
    progress: Callable[[EpochLoss], None] | None = None,
) -> TrainedEncoder:
    """Train (or go on with, or find done) an encoder with a head of six levels.

    The split ``train`` is learned from; the split ``calibration`` says which epoch was best and when to stop.

    Args:
        profile: the encoder to begin with and, in ``training``, how.
        home: of all trained encoders.
        progress: told of each epoch.

    Raises:
        ValueError: a level without examples to train on, nothing held out, or a loss that is no number.
        ModelStoreError: the encoder cannot be had.
    """
    train, held_out = examples.split("train"), examples.split("calibration")
    missing = sorted(set(LEVELS) - set(train.scores.tolist()))
    if missing:
        raise ValueError(f"No training examples of level {missing}: add annotations of every level 0-5.")
    if not len(held_out):
        raise ValueError("No annotations in the split calibration: without them training knows no end.")
    local = encoder_folder(profile, models_cache)
    folder = home / f"{local.name.replace('/', '--')}-{_fingerprint(profile, local, train, held_out)}"
    if not (folder / DONE).is_file():
        # Steps of 1e-6 would vanish in shorter floats; autocast is for the products alone.
        encoder = open_encoder(profile.model_copy(update={"dtype": "float32"}), models_cache)
        parts = [windowed(encoder, part, profile.training.window_tokens) for part in (train, held_out)]
        network = EncoderNetwork(encoder, parts[0], profile.training)
        progress = progress or (lambda point: None)
        state = _State(home / f".{folder.name}")
        curve = _train(network, parts[1], profile.training, state, progress)
        network.load_weights(state.weights_of(_best(curve)))
        _save(network, curve, state.folder / "finished", folder)
        shutil.rmtree(state.folder)
    return _read(folder)


def _train(
    network: EncoderNetwork,
    held_out: WindowedDocuments,
    settings: EncoderTraining,
    state: _State,
    progress: Callable[[EpochLoss], None],
) -> list[EpochLoss]:
    """Train until held-out loss no longer falls; the weights of the best epoch are in ``state`` then."""
    curve = state.load(network)
    while len(curve) <= settings.epochs and len(curve) - _best(curve) <= settings.patience:
        epoch = len(curve)
        loss = network.train_epoch(epoch) if epoch else network.train_head()
        curve.append(EpochLoss(epoch, loss, network.loss(held_out)))
        if not math.isfinite(curve[-1].held_out):
            raise ValueError(
                f"The loss of epoch {epoch} is no number: lower encoder_rate, or turn autocast off."
            )
        state.keep(network, curve)
        progress(curve[-1])
    return curve


def _best(curve: Sequence[EpochLoss]) -> int:
    """The epoch with the lowest held-out loss, of equal ones the first; 0 before there is any."""
    return min(curve, key=lambda point: point.held_out).epoch if curve else 0


class _State:
    """A folder with what a rerun needs: weights and optimizer after the last epoch, and the best weights so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def weights_of(self, epoch: int) -> Path:
        """File of the weights after an epoch; of the last and of the best one it is there."""
        return self.folder / f"weights-{epoch}.pt"

    def load(self, network: EncoderNetwork) -> list[EpochLoss]:
        """Put a network where training stopped; returns the epochs that are done."""
        record = self.folder / "curve.json"
        if not record.is_file():
            return []
        curve = _curve(json.loads(record.read_text(encoding="utf-8")))
        network.load_weights(self.weights_of(curve[-1].epoch))
        network.load_optimizer(self._optimizer_of(curve[-1].epoch))
        return curve

    def keep(self, network: EncoderNetwork, curve: Sequence[EpochLoss]) -> None:
        """After an epoch. The record is renamed into place last; until then the epoch before counts."""
        epoch = curve[-1].epoch
        torch.save(network.weights, self.weights_of(epoch))
        torch.save(network.optimizer, self._optimizer_of(epoch))
        beside = self.folder / "curve.json.part"
        beside.write_text(json.dumps([asdict(point) for point in curve]), encoding="utf-8")
        beside.replace(self.folder / "curve.json")
        needed = {self.weights_of(epoch), self.weights_of(_best(curve)), self._optimizer_of(epoch)}
        for old in set(self.folder.glob("*.pt")) - needed:
            old.unlink()

    def _optimizer_of(self, epoch: int) -> Path:
        return self.folder / f"optimizer-{epoch}.pt"


def _save(network: EncoderNetwork, curve: Sequence[EpochLoss], beside: Path, folder: Path) -> None:
    shutil.rmtree(beside, ignore_errors=True)
    network.save_encoder(beside)
    np.savez(beside / HEAD, coefficients=network.head.coefficients, intercepts=network.head.intercepts)
    (beside / DONE).write_text(json.dumps([asdict(point) for point in curve]), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _read(folder: Path) -> TrainedEncoder:
    curve = _curve(json.loads((folder / DONE).read_text(encoding="utf-8")))
    with np.load(folder / HEAD, allow_pickle=False) as arrays:
        head = Linear(arrays["coefficients"], arrays["intercepts"])
    return TrainedEncoder(folder, head, _best(curve), tuple(curve))


def _curve(record: list[dict[str, Any]]) -> list[EpochLoss]:
    return [EpochLoss(**point) for point in record]


def _fingerprint(profile: EncoderProfile, local: LocalModel, train: Examples, held_out: Examples) -> str:
    """Digest of everything that decides the weights."""
    digest = hashlib.sha256()
    settings = [TRAINING, local.name, local.revision, profile.query_prefix]
    digest.update(json.dumps([settings, profile.training.model_dump()]).encode())
    for part in (train, held_out):
        digest.update(json.dumps([list(part.texts), part.scores.tolist()]).encode())
    return digest.hexdigest()[:12]
