"""The plan of a mixture: how many windows each slice gets, and where in the training each of them stands.

A window belongs to one slice, so a budget is met to the window. Every recipe of the same settings has exactly the same
number of windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safety_assets.mixtures.recipes import MixtureError, Recipe

__all__ = ["MixtureSettings", "SlicePlan", "plan_mixture", "positions_of", "split_of"]

GROUND_BEFORE = "web"
PHASES = ("before", "recipe")


@dataclass(frozen=True)
class MixtureSettings:
    """Sizes of a mixture.

    Attributes:
        tokens: the budget; windows of ``context`` + 1 tokens are counted whole.
        validation_share: of the source documents, held out from every slice.
        validation_windows: at most so many windows are made of held-out safe text.
        interventions_start: share of the windows, at the beginning, that are raw web text whatever the recipe
            (arXiv 2601.07087).
        max_epochs: how often the text of a slice may be repeated.
    """

    tokens: int
    context: int
    seed: int = 0
    validation_share: float = 0.02
    validation_windows: int = 64
    interventions_start: float = 0.0
    max_epochs: int = 40

    @property
    def windows(self) -> int:
        """Training windows of every recipe."""
        return self.tokens // (self.context + 1)


@dataclass(frozen=True)
class SlicePlan:
    """Windows of one slice in one phase; ``start`` is the phase's first position."""

    name: str
    phase: str
    windows: int


def plan_mixture(recipe: Recipe, settings: MixtureSettings) -> list[SlicePlan]:
    """Windows per phase and slice, by the largest remainder; they sum to ``settings.windows``.

    Raises:
        MixtureError: a budget of less than one window, or a start of interventions outside 0 to 1.
    """
    if settings.windows < 1 or not 0 <= settings.interventions_start < 1:
        raise MixtureError(
            f"A budget of {settings.tokens} tokens from {settings.interventions_start:.0%} on gives no window of "
            f"{settings.context + 1} tokens: raise tokens, or start the interventions earlier."
        )
    before = round(settings.windows * settings.interventions_start)
    general = {name: share for name, share in recipe.slices.items() if ":" in name}
    raw = {GROUND_BEFORE: 1 - sum(general.values())} | general
    return [
        *(SlicePlan(name, PHASES[0], count) for name, count in _apportioned(raw, before).items() if before),
        *(
            SlicePlan(name, PHASES[1], count)
            for name, count in _apportioned(recipe.slices, settings.windows - before).items()
        ),
    ]


def positions_of(plans: list[SlicePlan], seed: int) -> dict[tuple[str, str], np.ndarray]:
    """(phase, slice) -> ascending positions of its windows, int64; together every position once.

    Slices are shuffled within their phase by the seed alone.
    """
    positions, start = {}, 0
    for phase in PHASES:
        own = [plan for plan in plans if plan.phase == phase]
        labels = np.repeat(np.arange(len(own)), [plan.windows for plan in own]) if own else np.zeros(0, int)
        np.random.Generator(np.random.PCG64([seed, PHASES.index(phase)])).shuffle(labels)
        for number, plan in enumerate(own):
            positions[phase, plan.name] = start + np.flatnonzero(labels == number)
        start += len(labels)
    return positions


def split_of(text_hash: str, validation_share: float) -> str:
    """``validation`` or ``train``, from the hash of the SOURCE document's text.

    What was made of a document follows it, and so does the same text under another id or in another shard.
    """
    drawn = int.from_bytes(hashlib.sha256(f"split\0{text_hash}".encode()).digest()[:8]) / 2**64
    return "validation" if drawn < validation_share else "train"


def _apportioned(shares: Mapping[str, float], windows: int) -> dict[str, int]:
    """Whole windows by the largest remainder."""
    exact = {name: share * windows for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: windows - sum(counts.values())]:
        counts[name] += 1
    return counts
