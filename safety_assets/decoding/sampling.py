"""Greedy and top-k decoding, many prompts at once. Importing this module imports torch and transformers.

Prompts are padded on the left; masks and positions keep the padding from having a say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from safety_assets.decoding.causal_model import CausalModel
from safety_assets.decoding.ranking import likeliest
from safety_assets.decoding.settings import Decoded, Decoding, Strategy

__all__ = ["decode_together"]


class _Row:
    """One prompt's answer on the way."""

    def __init__(self, prompt: Sequence[int], decoding: Decoding) -> None:
        self.tokens: list[int] = []
        self.log_probability = self.tag_mass = 0.0
        self.finish = "length"
        # Random numbers by prompt and seed: the same in whatever batch.
        digest = hashlib.sha256(repr((decoding.seed, list(prompt))).encode()).digest()
        self.draw = torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def decode_together(
    model: CausalModel, prompts: Sequence[Sequence[int]], decoding: Decoding
) -> list[Decoded]:
    """Answers to one batch of prompts, in order. A prompt that is answered leaves the batch."""
    rows = [_Row(prompt, decoding) for prompt in prompts]
    ids, mask = _padded(prompts, model.device)
    cache = model.new_cache(ids.shape[1] + decoding.max_new_tokens)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    alive = rows
    for _ in range(decoding.max_new_tokens):
        found = model.step(ids, cache, attention_mask=mask, position_ids=positions)
        kept = _extend(alive, found, model, decoding)
        if not kept:
            break
        if len(kept) < len(alive):
            cache.keep(kept)
            alive = [alive[place] for place in kept]
            mask, positions = mask[kept], positions[kept]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
        positions = positions[:, -1:] + 1
        ids = torch.tensor([[row.tokens[-1]] for row in alive], device=model.device)
    return [
        Decoded(
            tuple(row.tokens),
            row.log_probability,
            row.finish,
            None if model.tag_id is None else row.tag_mass,
        )
        for row in rows
    ]


def _padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, (prompts, longest)."""
    longest = max(len(prompt) for prompt in prompts)
    gaps = [longest - len(prompt) for prompt in prompts]
    ids = [[0] * gap + list(prompt) for gap, prompt in zip(gaps, prompts, strict=True)]
    mask = [[0] * gap + [1] * (longest - gap) for gap in gaps]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _extend(rows: Sequence[_Row], found: torch.Tensor, model: CausalModel, decoding: Decoding) -> list[int]:
    """Choose each row's next token from (rows, vocabulary); places, ascending, of the rows that go on."""
    count = 1 if decoding.strategy is Strategy.GREEDY else decoding.top_k
    values, tokens = (each.cpu() for each in likeliest(found, count))
    shares = torch.softmax(values / decoding.temperature, dim=1)
    tags = [0.0] * len(rows) if model.tag_id is None else found[:, model.tag_id].exp().tolist()
    kept = []
    for place, row in enumerate(rows):
        rank = int(torch.multinomial(shares[place], 1, generator=row.draw)) if count > 1 else 0
        token = int(tokens[place, rank])
        row.log_probability += float(values[place, rank])
        row.tag_mass = max(row.tag_mass, tags[place])
        if token in model.end_ids:
            row.finish = "stop"
        else:
            row.tokens.append(token)
            kept.append(place)
    return kept
