"""Drawing the next token of each row of a batch, each row by its own settings and its own random numbers.

A row's draws depend on its own logits and seed alone, whatever else is decoded beside it. Importing this
module imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from resources.language_model import Sampling

__all__ = ["TokenSampler"]

# Most nuclei lie within so many tokens; a row whose does not is sorted whole.
CANDIDATES = 512


class TokenSampler:
    """Samples for rows that may be dropped on the way.

    Args:
        samplings: settings, one per row.
        prompts: token ids of each row's prompt; the repetition penalty counts them as seen.
        vocabulary: number of logits.
    """

    def __init__(
        self,
        samplings: Sequence[Sampling],
        prompts: Sequence[Sequence[int]],
        vocabulary: int,
        device: torch.device,
    ) -> None:
        self._samplings = list(samplings)
        self._random = [np.random.default_rng(sampling.seed) for sampling in samplings]
        self._seen: torch.Tensor | None = None
        if any(sampling.repetition_penalty != 1.0 for sampling in samplings):
            self._seen = torch.zeros(len(prompts), vocabulary, dtype=torch.bool, device=device)
            for row, ids in enumerate(prompts):
                self._seen[row, torch.tensor(ids, device=device)] = True

    def draw(self, logits: torch.Tensor) -> list[int]:
        """One token per row from (rows, vocabulary) logits: repetition penalty, temperature, nucleus."""
        logits = logits.float()
        if self._seen is not None:
            penalty = logits.new_tensor([sampling.repetition_penalty for sampling in self._samplings])[
                :, None
            ]
            logits = torch.where(
                self._seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits
            )
        tokens = logits.argmax(-1).tolist()
        warm = [row for row, sampling in enumerate(self._samplings) if sampling.temperature > 0]
        if warm:
            temperature = logits.new_tensor([self._samplings[row].temperature for row in warm])[:, None]
            probabilities = torch.softmax(logits[warm] / temperature, -1)  # (warm rows, vocabulary)
            for row, token in zip(warm, self._draw_nucleus(warm, probabilities), strict=True):
                tokens[row] = token
        if self._seen is not None:
            self._seen[range(len(tokens)), tokens] = True
        return tokens

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._samplings = [self._samplings[row] for row in rows]
        self._random = [self._random[row] for row in rows]
        if self._seen is not None:
            self._seen = self._seen[list(rows)]

    def _draw_nucleus(self, rows: Sequence[int], probabilities: torch.Tensor) -> list[int]:
        top, ids = probabilities.topk(min(CANDIDATES, probabilities.shape[-1]))
        top, ids = top.double().cpu().numpy(), ids.cpu().numpy()
        drawn = []
        for place, row in enumerate(rows):
            top_p, point = self._samplings[row].top_p, self._random[row].random()
            rank = _rank(top[place], top_p, point, complete=False)
            if rank is not None:
                drawn.append(int(ids[place, rank]))
                continue
            everything, order = probabilities[place].sort(descending=True)
            rank = _rank(everything.double().cpu().numpy(), top_p, point, complete=True)
            drawn.append(int(order[rank]))
        return drawn


def _rank(descending: np.ndarray, top_p: float, point: float, *, complete: bool) -> int | None:
    """Rank of the token at ``point`` (0–1) of the nucleus; None where the candidates do not reach it."""
    cumulative = descending.cumsum()
    mass = 1.0
    if top_p < 1.0:
        last = int(np.searchsorted(cumulative, top_p))  # the token that crosses top_p still belongs
        if last < len(cumulative):
            mass = float(cumulative[last])
        elif not complete:
            return None
    rank = int(np.searchsorted(cumulative, point * mass, side="right"))
    if rank < len(cumulative):
        return rank
    return len(cumulative) - 1 if complete else None
