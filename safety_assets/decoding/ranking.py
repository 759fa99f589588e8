"""The likeliest tokens, always in the same order. Importing this module imports torch."""

from __future__ import annotations

import torch

__all__ = ["likeliest"]


def likeliest(log_probabilities: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and token ids (B, count) of the likeliest of (B, vocabulary), best first.

    Of equals the lower id comes first and stays; ``topk`` alone promises neither. Fewer where the vocabulary is smaller.
    """
    values, tokens = log_probabilities.topk(min(count, log_probabilities.shape[1]), dim=1)
    if ((log_probabilities >= values[:, -1:]).sum(1) > values.shape[1]).any():
        # Equals on both sides of the border: only a full sort tells which stay.
        values, tokens = log_probabilities.sort(dim=1, descending=True, stable=True)
        return values[:, :count], tokens[:, :count]
    tokens = tokens.sort(dim=1).values
    values, order = log_probabilities.gather(1, tokens).sort(dim=1, descending=True, stable=True)
    return values, tokens.gather(1, order)
