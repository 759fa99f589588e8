"""How a report card's numbers and keys are written out, the same in charts, pages and Markdown."""

from __future__ import annotations

from safety_assets.harms import SafetyLevel
from safety_assets.intervals import Estimate

__all__ = ["level_name", "percent", "plain_name", "rate", "short", "span"]


# Keys that do not become words by themselves.
_NAMES = {
    "non_violent_crimes": "Non-violent crimes",
    "sex_related_crimes": "Sex-related crimes",
    "suicide_self_harm": "Suicide and self-harm",
}


def percent(share: float) -> str:
    """A share in 0-1 as a percentage with as many decimals as tell it from nothing and from everything."""
    shown = 100 * share
    if shown in (0.0, 100.0):
        return f"{shown:.0f}\u2009%"
    if shown < 0.01:
        return "<0.01\u2009%"
    decimals = 2 if shown < 1 or shown > 99 else 1
    return f"{min(shown, 99.99):.{decimals}f}\u2009%"


def short(count: int) -> str:
    """A count in full up to ten million, then in millions or billions."""
    if count < 10_000_000:
        return f"{count:,}"
    return f"{count / 1e9:,.2f}\u2009B" if count >= 1_000_000_000 else f"{count / 1e6:.1f}\u2009M"


def rate(value: float) -> str:
    """Occurrences per million tokens, to about three digits."""
    if value == 0:
        return "0"
    if value < 0.01:
        return "<0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def span(estimate: Estimate | None, kind: str = "rate") -> str:
    """A confidence interval as text; '' without an estimate. ``kind`` is 'rate' or 'percent'."""
    if estimate is None:
        return ""
    if kind == "percent":
        return f"{percent(estimate.low)[:-2]}–{percent(estimate.high)}"
    return f"{rate(estimate.low)}–{rate(estimate.high)}"


def plain_name(key: str) -> str:
    """A key such as 'code_abuse' as words, its first letter large."""
    words = _NAMES.get(key, key).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def level_name(level: int) -> str:
    """'0 safe' to '5 high'."""
    return f"{level} {SafetyLevel(level).name.lower()}"
