"""The learning rate: warm-up, stable, decay (WSD), as SmolLM2 was trained (SP section 5)."""

from __future__ import annotations

__all__ = ["wsd"]


def wsd(step: int, *, steps: int, warmup: int, decay: int) -> float:
    """Multiplier of the peak rate for step ``step`` of 0 … ``steps`` - 1.

    Rises linearly over ``warmup`` steps, is 1, and falls linearly over the last ``decay`` steps, almost to 0.

    Raises:
        ValueError: no such step, or phases longer than the training.
    """
    if not 0 <= step < steps or warmup < 0 or decay < 0 or warmup + decay > steps:
        raise ValueError(f"step {step} of {steps} with {warmup} of warm-up and {decay} of decay")
    rising = (step + 1) / warmup if step < warmup else 1.0
    falling = (steps - step) / (decay + 1) if step >= steps - decay else 1.0
    return min(rising, falling)
