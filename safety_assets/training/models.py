"""The models by name: SmolLM2's three sizes, and two small ones of the same build that train on a CPU.

Imports torch and litgpt: import this where a step needs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from litgpt import GPT, Config
from torch import nn

from safety_assets.training.errors import TrainingError

__all__ = ["MODELS", "ModelSize", "build_model", "model_config", "parameters_of"]

# SmolLM2's base for models trained from scratch; LitGPT's configs have that of the extended context.
ROPE_BASE = 10_000
NORM_EPS = 1e-5
INITIAL_DEVIATION = 0.02


@dataclass(frozen=True)
class ModelSize:
    """A model to choose.

    Attributes:
        peak_rate: of the learning rate (SmolLM2's for its sizes).
        layers, heads, groups, width, inner: of a model that LitGPT does not name; None for one that it does.
    """

    peak_rate: float
    layers: int | None = None
    heads: int | None = None
    groups: int | None = None
    width: int | None = None
    inner: int | None = None


MODELS = {
    "micro": ModelSize(3e-3, layers=4, heads=4, groups=4, width=128, inner=384),
    "mini": ModelSize(3e-3, layers=8, heads=8, groups=4, width=256, inner=768),
    "SmolLM2-135M": ModelSize(3e-3),
    "SmolLM2-360M": ModelSize(3e-3),
    "SmolLM2-1.7B": ModelSize(5e-4),
}


def model_config(name: str, *, vocabulary: int, padded_vocabulary: int, context: int) -> Config:
    """LitGPT's config of a model, for a tokenizer and a context length.

    Raises:
        TrainingError: no such model.
    """
    if name not in MODELS:
        raise TrainingError(f"There is no model {name!r}: choose one of {', '.join(MODELS)}.")
    size = MODELS[name]
    shared = {
        "block_size": context,
        "vocab_size": vocabulary,
        "padded_vocab_size": padded_vocabulary,
        "rope_base": ROPE_BASE,
    }
    if size.width is None:
        return Config.from_name(name, **shared)
    return Config(
        name=name,
        n_layer=size.layers,
        n_head=size.heads,
        n_query_groups=size.groups,
        n_embd=size.width,
        intermediate_size=size.inner,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        norm_eps=NORM_EPS,
        **shared,
    )


def build_model(config: Config) -> GPT:
    """A model with tied embeddings and fresh weights, from the random state as it is."""
    model = GPT(config)
    # Two kinds of layer end a residual branch; theirs are smaller, so that depth does not add up.
    residual = INITIAL_DEVIATION / math.sqrt(2 * config.n_layer)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            deviation = residual if name.endswith(".proj") else INITIAL_DEVIATION
            torch.nn.init.normal_(module.weight, mean=0.0, std=deviation)
    # LitGPT leaves the output layer apart; SmolLM2 has it share its weights with the embeddings.
    model.lm_head.weight = model.transformer.wte.weight
    return model


def parameters_of(model: nn.Module) -> int:
    """Trained numbers; shared ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())
