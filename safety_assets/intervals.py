"""Confidence intervals for what reports count: proportions, rates, and ratios of rates.

All are functions of whole counts. Nothing observed gives no estimate (``None``), never a zero. The intervals
of rates take occurrences as independent; phrases come in clusters, so true intervals are wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import gammaincinv, ndtri

__all__ = ["CONFIDENCE", "PER_TOKENS", "Estimate", "garwood", "rate_ratio", "wilson"]

CONFIDENCE = 0.95
# Rates are occurrences per million tokens (SP appendix D).
PER_TOKENS = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % confidence interval, in the same unit: low <= value <= high."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int) -> Estimate | None:
    """A proportion in 0-1 with the Wilson score interval; ``None`` without trials.

    Raises:
        ValueError: unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    if trials == 0:
        return None
    z = float(ndtri((1 + CONFIDENCE) / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Estimate(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def garwood(count: int, tokens: int) -> Estimate | None:
    """Occurrences per million tokens with Garwood's exact Poisson interval; ``None`` without tokens.

    Raises:
        ValueError: a negative count, or a count without tokens.
    """
    if count < 0 or tokens < 0 or (count and not tokens):
        raise ValueError(f"{count} occurrences in {tokens} tokens is no rate")
    if tokens == 0:
        return None
    tail = (1 - CONFIDENCE) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    high = float(gammaincinv(count + 1, 1 - tail))
    scale = PER_TOKENS / tokens
    return Estimate(count * scale, low * scale, high * scale)


def rate_ratio(count: int, tokens: int, base_count: int, base_tokens: int) -> Estimate | None:
    """One rate divided by another; below 1 where the first is lower. ``None`` where the second is zero.

    Given the sum of both counts, the first is binomial; its Wilson interval is carried over to the ratio.

    Raises:
        ValueError: see :func:`garwood`.
    """
    if garwood(count, tokens) is None or garwood(base_count, base_tokens) is None or base_count == 0:
        return None
    share = wilson(count, count + base_count)
    assert share is not None
    scale = base_tokens / tokens
    value = count / base_count * scale
    low, high = (end / (1 - end) * scale for end in (share.low, share.high))
    return Estimate(value, min(value, low), max(value, high))
