"""An encoder with a head of six levels, and its epochs of training (SP appendix B). Imports torch.

The order of the documents and the dropout of an epoch follow from the seed and the number of the epoch alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from resources.encoder import TextEncoder
from resources.profile import EncoderTraining
from safety_assets.harms import LEVELS
from safety_assets.scoring.encoder_batches import WindowedDocuments, batches, worst_windows
from safety_assets.scoring.weights import Linear

__all__ = ["EncoderNetwork"]


class EncoderNetwork:
    """An encoder, a head over its embeddings, and the optimizer of both."""

    def __init__(self, encoder: TextEncoder, train: WindowedDocuments, settings: EncoderTraining) -> None:
        """Of an encoder in float32, which is changed, and the documents to train on."""
        self._encoder, self._train, self._settings = encoder, train, settings
        self._device = encoder.network.device
        # Entries of an embedding of length 1 are small; of variance 1 they suit the learning rates.
        self._scale = encoder.dimension**0.5
        self._head = nn.Linear(encoder.dimension, len(LEVELS)).to(self._device)
        nn.init.zeros_(self._head.weight)
        nn.init.zeros_(self._head.bias)
        self._modules = nn.ModuleList([encoder.network, self._head])
        self._optimizer = torch.optim.AdamW(self._modules.parameters(), lr=settings.encoder_rate)
        # Of mean 1 over what trains, so that the largest gradient means the same whatever lambda is.
        weights = np.array([1.0, *[settings.positive_weight] * (len(LEVELS) - 1)])
        self._weights = weights / weights[train.scores].mean()

    def train_head(self) -> float:
        """One epoch of the head, the encoder as it is; returns the mean loss of its steps."""
        features = self._embed(self._train.windows)
        optimizer = torch.optim.AdamW(self._head.parameters(), lr=self._settings.head_rate)
        losses = []
        for documents in batches(len(self._train), self._settings.batch_size, self._settings.seed, 0):
            rows, document = self._train.rows(documents)
            chosen = rows[worst_windows(self._logits(features[rows]), document)]
            losses.append(self._step(optimizer, self._tensor(features[chosen]), documents))
        return float(np.mean(losses))

    def train_epoch(self, epoch: int) -> float:
        """One epoch of encoder and head, ``epoch`` from 1; returns the mean loss of its steps."""
        losses = []
        with _seeded([self._settings.seed, epoch], self._device):
            for documents in batches(len(self._train), self._settings.batch_size, self._settings.seed, epoch):
                windows = [self._train.windows[row] for row in self._worst(documents)]
                self._encoder.network.train()
                with self._autocast():
                    features = self._encoder.features(self._encoder.padded(windows))
                losses.append(self._step(self._optimizer, features, documents))
        return float(np.mean(losses))

    def loss(self, documents: WindowedDocuments) -> float:
        """Mean weighted loss over documents, each by its worst window."""
        logits = self._logits(self._embed(documents.windows))
        _, document = documents.rows(np.arange(len(documents)))
        worst = torch.from_numpy(logits[worst_windows(logits, document)].astype(np.float64))
        each = nn.functional.cross_entropy(worst, torch.from_numpy(documents.scores), reduction="none")
        return float((each.numpy() * self._weights[documents.scores]).mean())

    @property
    def head(self) -> Linear:
        """The head over embeddings of length 1."""
        weight, bias = (value.detach().float().cpu().numpy() for value in self._head.parameters())
        return Linear(weight * np.float32(self._scale), bias)

    @property
    def weights(self) -> dict[str, Any]:
        """Of encoder and head, for :meth:`load_weights`."""
        return self._modules.state_dict()

    @property
    def optimizer(self) -> dict[str, Any]:
        """State of the optimizer of both, for :meth:`load_optimizer`."""
        return self._optimizer.state_dict()

    def load_weights(self, path: Path) -> None:
        """What :attr:`weights` gave, from a file."""
        self._modules.load_state_dict(torch.load(path, map_location=self._device, weights_only=True))

    def load_optimizer(self, path: Path) -> None:
        """What :attr:`optimizer` gave, from a file."""
        self._optimizer.load_state_dict(torch.load(path, map_location=self._device, weights_only=True))

    def save_encoder(self, folder: Path) -> None:
        """Write the encoder as a sentence-transformers folder."""
        self._encoder.network.save_pretrained(str(folder), create_model_card=False)

    def _worst(self, documents: np.ndarray) -> np.ndarray:
        """The window of each document that looks worst to the network as it is."""
        rows, document = self._train.rows(documents)
        if len(rows) == len(documents):
            return rows
        features = self._embed([self._train.windows[row] for row in rows])
        return rows[worst_windows(self._logits(features), document)]

    def _step(self, optimizer: torch.optim.Optimizer, features: torch.Tensor, documents: np.ndarray) -> float:
        """A step on the worst window of each of some documents, (n, dimension); returns the mean loss."""
        scores = self._train.scores[documents]
        logits, truth = self._head(features * self._scale), torch.from_numpy(scores).to(self._device)
        each = nn.functional.cross_entropy(logits, truth, reduction="none")
        loss = (each * self._tensor(self._weights[scores])).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._modules.parameters(), self._settings.clip)
        optimizer.step()
        return float(loss.detach())

    def _embed(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        self._encoder.network.eval()
        with self._autocast():
            return self._encoder.embed_windows(windows)

    def _logits(self, features: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._head(self._tensor(features) * self._scale).cpu().numpy()

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.autocast)


@contextmanager
def _seeded(seed: Sequence[int], device: torch.device) -> Iterator[None]:
    """Random numbers of torch that follow from a seed; the caller's are left alone."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))
        yield
