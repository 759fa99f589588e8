"""The network that is trained: an encoder with low-rank adapters, and what tells level and category on top.

The encoder as it comes tells what a text is about. Small changes to its weights, trained on windows in which only the
labelled part differs, make it tell how unsafe the text is. They are given out as an ``EncoderAdapter``, to be folded
in, and linear models over the features that an adapted ``TextEncoder`` gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from resources.encoder_adapter import EncoderAdapter
from safety_assets.harms import LEVELS
from safety_assets.scoring.building.harm_names import CATEGORIES
from safety_assets.scoring.weights import Linear

__all__ = ["AdaptedNetwork", "AdapterSettings", "LowRank"]

# The mean of length 1 is scaled so that the head's weights are of the size of those for the maxima.
MEAN_SCALE = 4.0
# Layers' modules that get an adapter, by the end of their name.
ADAPTED = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


@dataclass(frozen=True)
class AdapterSettings:
    """How to train; the defaults made the packaged head."""

    rank: int = 28
    projected: int = 64
    batch_tokens: int = 4096
    longest_tokens: int = 200
    rate: float = 1e-3
    head_rate: float = 3e-3
    warm_up: int = 30
    weight_decay: float = 0.01
    dropout: float = 0.1
    longest_gradient: float = 1.0
    threads: int = 1
    mixed_precision: bool = True


class LowRank(nn.Module):
    """A linear module that is kept, with a low-rank change that trains."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        down = torch.randn(rank, base.in_features, generator=generator) / math.sqrt(base.in_features)
        self.down = nn.Parameter(down)
        # From zero, so that training begins with the encoder as it came.
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.base(inputs) + (inputs @ self.down.T) @ self.up.T


class AdaptedNetwork(nn.Module):
    """A BERT-like encoder with adapters, biases and layer norms that train, a projection of tokens, and the head."""

    def __init__(self, folder: Path, settings: AdapterSettings, seed: int) -> None:
        super().__init__()
        from transformers import AutoModel

        generator = torch.Generator().manual_seed(seed)
        # Without dropout in the encoder, and so with plain attention, a CPU trains twice as fast; each window comes once,
        # and the head has its own.
        self.encoder = AutoModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            attn_implementation="eager",
            attention_probs_dropout_prob=0.0,
            hidden_dropout_prob=0.0,
        )
        self.encoder.requires_grad_(False)
        layers = [name for name, _ in self.encoder.named_modules() if ".layer." in name]
        for name in layers:
            module = self.encoder.get_submodule(name)
            if isinstance(module, nn.Linear) and name.endswith(ADAPTED):
                parent, _, own = name.rpartition(".")
                setattr(self.encoder.get_submodule(parent), own, LowRank(module, settings.rank, generator))
        for name, parameter in self.encoder.named_parameters():
            if ".layer." in name and (name.endswith("bias") or "LayerNorm" in name):
                parameter.requires_grad_(True)
        hidden = self.encoder.config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.projection = nn.Linear(hidden, settings.projected)
            self.head = nn.Linear(hidden + settings.projected, len(LEVELS) - 1)
            nn.init.normal_(self.head.weight, std=0.05)
            self.category = nn.Linear(hidden + settings.projected, len(CATEGORIES))
        nn.init.zeros_(self.head.bias)
        self.dropout = nn.Dropout(settings.dropout)

    def features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(rows, hidden + projected) from (rows, tokens) ids and mask, as an adapted ``TextEncoder`` computes them."""
        tokens = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        inside = mask[..., None].to(tokens.dtype)
        mean = nn.functional.normalize((tokens * inside).sum(1) / inside.sum(1), dim=-1)
        return torch.cat([mean, self.projection(tokens).masked_fill(inside == 0, -1e4).amax(1)], -1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, 5) log-odds of levels 1-5 or above, and (rows, 15) logits of categories."""
        features = self.features(ids, mask)
        scale = torch.ones(features.shape[1])
        scale[: self.encoder.config.hidden_size] = MEAN_SCALE
        features = self.dropout(features * scale)
        return self.head(features), self.category(features)

    def adapter(self) -> EncoderAdapter:
        """What training changed in the encoder, by the names of the encoder's own modules."""
        low_rank = {
            name: (_array(module.down), _array(module.up))
            for name, module in self.encoder.named_modules()
            if isinstance(module, LowRank)
        }
        replaced = {
            name.replace(".base.", "."): _array(parameter)
            for name, parameter in self.encoder.named_parameters()
            if parameter.requires_grad and not name.endswith((".down", ".up"))
        }
        return EncoderAdapter(
            low_rank, replaced, _array(self.projection.weight), _array(self.projection.bias)
        )

    def linear(self) -> tuple[Linear, Linear]:
        """What tells the level and what tells the category, over the features."""
        found = []
        for module in (self.head, self.category):
            coefficients = _array(module.weight)
            coefficients[:, : self.encoder.config.hidden_size] *= MEAN_SCALE
            found.append(Linear(coefficients, _array(module.bias)))
        return found[0], found[1]


def _array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().float().numpy().copy()
