"""Both beam searches in the plainest way: every log-probability from the whole sequence alone, no cache, no batch.

Slow, and exact: what the real ones must agree with. Needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["NextTokens", "naive_beam", "naive_safe_beam", "next_tokens_of"]

NextTokens = Callable[[Sequence[int]], list[float]]
# (new tokens, whether the last of them is an end, cumulative log-probability)
Hypothesis = tuple[list[int], bool, float]


def next_tokens_of(model, vocabulary: int) -> NextTokens:
    """Log-probabilities of the token after a sequence, from one forward pass over all of it; remembered."""
    known: dict[tuple[int, ...], list[float]] = {}

    @torch.inference_mode()
    def next_tokens(sequence: Sequence[int]) -> list[float]:
        if tuple(sequence) not in known:
            known[tuple(sequence)] = forward(sequence)
        return known[tuple(sequence)]

    def forward(sequence: Sequence[int]) -> list[float]:
        logits = model(input_ids=torch.tensor([list(sequence)]), use_cache=False).logits[0, -1, :vocabulary]
        return torch.log_softmax(logits.float(), -1).tolist()

    return next_tokens


def naive_beam(
    next_tokens: NextTokens, prompt: Sequence[int], ends: set[int], k: int, limit: int, length_penalty: float
) -> Hypothesis:
    """Beam search that stops when k hypotheses have ended."""
    running: list[Hypothesis] = [([], False, 0.0)]
    done: list[Hypothesis] = []
    for step in range(limit):
        everything = [
            ([*tokens, token], token in ends, total + value)
            for tokens, _, total in running
            for token, value in enumerate(next_tokens([*prompt, *tokens]))
        ]
        everything.sort(key=lambda one: -one[2])
        done += [one for one in everything[:k] if one[1]]
        running = [one for one in everything if not one[1]][:k]
        if len(done) >= k and step + 1 < limit:
            running = []
            break
    return max([*done, *running], key=lambda one: one[2] / len(one[0]) ** length_penalty)


def naive_safe_beam(
    next_tokens: NextTokens,
    prompt: Sequence[int],
    ends: set[int],
    tag: int,
    k: int,
    n: int,
    limit: int,
    length_penalty: float,
) -> Hypothesis:
    """Algorithm 1 of SP. Every step looks at k x n candidates that have not ended."""
    running: list[Hypothesis] = [([], False, 0.0)]
    done: list[Hypothesis] = []
    for step in range(limit):
        candidates: list[Hypothesis] = []
        ended: list[Hypothesis] = []
        for tokens, _, total in running:
            width = k * n // len(running)
            values = next_tokens([*prompt, *tokens])
            ranked = sorted((token for token in range(len(values)) if token != tag), key=lambda t: -values[t])
            grown = [([*tokens, token], token in ends, total + values[token]) for token in ranked]
            ended += [one for one in grown[:width] if one[1]]
            candidates += [one for one in grown if not one[1]][:width]
        looked = [(next_tokens([*prompt, *one[0]])[tag], one) for one in candidates]
        looked.sort(key=lambda pair: pair[0])
        safe = [one for _, one in looked[: math.ceil(len(looked) / 2)]]
        survivors = sorted([*ended, *safe], key=lambda one: -one[2])
        done += [one for one in survivors[:k] if one[1]]
        running = [one for one in survivors if not one[1]][:k]
        if len(done) >= k and step + 1 < limit:
            running = []
            break
    return max([*done, *running], key=lambda one: one[2] / len(one[0]) ** length_penalty)
