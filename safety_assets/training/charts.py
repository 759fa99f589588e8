"""The loss curve as a small picture, for the UI."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["loss_curve_svg", "loss_curve_uri"]

WIDTH, HEIGHT, MARGIN = 480, 200, 34
# More points than this cannot be told apart; the picture has to stay small.
MOST_POINTS = 160


def loss_curve_uri(curve: Sequence[Mapping[str, Any]]) -> str:
    """A ``data:`` address of :func:`loss_curve_svg`."""
    return "data:image/svg+xml;base64," + base64.b64encode(loss_curve_svg(curve).encode()).decode()


def loss_curve_svg(curve: Sequence[Mapping[str, Any]]) -> str:
    """Loss in nats over tokens; numbers only, so nothing needs escaping. Points are means of neighbours."""
    size = max(1, -(-len(curve) // MOST_POINTS))
    groups = [curve[first : first + size] for first in range(0, len(curve), size)]
    points = [
        (group[-1]["tokens"], sum(point["loss"] for point in group) / len(group)) for group in groups if group
    ]
    losses = [loss for _, loss in points]
    low, high, last = min(losses), max(losses), points[-1][0]
    span = (high - low) or 1.0

    def place(tokens: float, loss: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * tokens / max(last, 1)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (loss - low) / span
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(*point) for point in points)
    label = 'font-family="sans-serif" font-size="11" fill="#555"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#2563eb" stroke-width="1.6"/>'
        f'<text x="4" y="{MARGIN - 8}" {label}>{high:.2f} nats</text>'
        f'<text x="4" y="{HEIGHT - MARGIN + 4}" {label}>{low:.2f}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 10}" text-anchor="end" {label}>{last:,} tokens</text></svg>'
    )
