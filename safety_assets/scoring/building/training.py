"""Training an adapted network: once over composed windows, for the levels and, where it is known, the category."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from safety_assets.scoring.building.adapters import AdaptedNetwork, AdapterSettings
from safety_assets.scoring.building.compose import Window
from safety_assets.scoring.building.harm_names import CATEGORIES

__all__ = ["train_network"]

LEVEL_WEIGHTS = (0.7, 0.9, 1.2, 1.2, 0.8)
# Of the loss of categories beside that of levels.
CATEGORY_WEIGHT = 0.15
NO_CATEGORY = -1
# Widths of batches are multiples of this: the CPU library keeps memory for every shape that it has seen.
WIDTH_STEP = 16
# Sorted by length within so many windows: little padding, and batches still come in random order.
SORTED_TOGETHER = 4096


def train_network(
    network: AdaptedNetwork,
    windows: Sequence[Window],
    settings: AdapterSettings,
    *,
    folder: Path,
    seed: int,
    say: Callable[[str], None] = print,
) -> list[float]:
    """Train a network in place, once over the windows; returns the loss of each batch.

    With one thread it gives the same weights again on the same kind of processor; bfloat16 sums differ between kinds.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(seed)
    ids = _token_ids([window.text for window in windows], folder, settings.longest_tokens)
    batches = _batches([len(row) for row in ids], settings.batch_tokens, np.random.default_rng(seed))
    optimizer, schedule = _optimizer(network, settings, len(batches))
    loss_of = _Loss(windows)
    losses: list[float] = []
    network.train()
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.mixed_precision):
            logits, categories = network(*_padded([ids[row] for row in batch]))
        loss = loss_of(batch, logits.float(), categories.float())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.longest_gradient)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            say(f"batch {len(losses)} of {len(batches)}: loss {np.mean(losses[-50:]):.4f}")
    network.eval()
    return losses


class _Loss:
    """Of some of the windows: cross-entropy of each level's soft target, and of the category where it is known."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.targets = torch.tensor(np.array([window.target for window in windows]), dtype=torch.float32)
        known = [NO_CATEGORY if window.category is None else window.category for window in windows]
        self.categories = torch.tensor(known)
        self.level_weights = torch.tensor(LEVEL_WEIGHTS)
        # Half way between every window and every category counting alike.
        counts = torch.bincount(self.categories[self.categories >= 0], minlength=len(CATEGORIES)).clamp(min=1)
        self.category_weights = (counts.sum() / len(CATEGORIES) / counts).sqrt()

    def __call__(self, rows: list[int], logits: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        each = nn.functional.binary_cross_entropy_with_logits(logits, self.targets[rows], reduction="none")
        of_category = nn.functional.cross_entropy(
            categories,
            self.categories[rows],
            self.category_weights,
            ignore_index=NO_CATEGORY,
            reduction="none",
        )
        return (each * self.level_weights).mean() + CATEGORY_WEIGHT * of_category.mean()


def _optimizer(network: AdaptedNetwork, settings: AdapterSettings, batches: int):
    """AdamW with a rate for the head and one for the rest; linear warm-up, then a cosine to zero."""
    trained = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    of_head = [value for name, value in trained if not name.startswith("encoder")]
    of_encoder = [value for name, value in trained if name.startswith("encoder")]
    optimizer = torch.optim.AdamW(
        [{"params": of_encoder, "lr": settings.rate}, {"params": of_head, "lr": settings.head_rate}],
        betas=(0.9, 0.98),
        weight_decay=settings.weight_decay,
    )

    def share(step: int) -> float:
        return min(1.0, (step + 1) / settings.warm_up) * 0.5 * (1 + math.cos(math.pi * step / batches))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _token_ids(texts: Sequence[str], folder: Path, longest: int) -> list[list[int]]:
    """Ids of each text between the special tokens; special tokens in a text are plain words."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [[first, *encoding.ids[: longest - 2], last] for encoding in encoded]


def _batches(lengths: Sequence[int], most: int, rng: np.random.Generator) -> list[list[int]]:
    """Rows in batches of about so many padded tokens, of like lengths, in random order."""
    batches: list[list[int]] = []
    for first in range(0, len(lengths), SORTED_TOGETHER):
        own: list[list[int]] = [[]]
        chunk = range(first, min(first + SORTED_TOGETHER, len(lengths)))
        for row in sorted(chunk, key=lambda row: lengths[row]):
            width = -(-lengths[row] // WIDTH_STEP) * WIDTH_STEP
            if own[-1] and width * (len(own[-1]) + 1) > most:
                own.append([])
            own[-1].append(row)
        batches += [own[index] for index in rng.permutation(len(own))]
    return batches


def _padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, tokens) int64 ids and mask."""
    width = -(-max(map(len, rows)) // WIDTH_STEP) * WIDTH_STEP
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask
