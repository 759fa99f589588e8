"""The few SVG shapes that charts are made of: no fonts, scripts or images from elsewhere, every word escaped.

Lengths are in units of a drawing :data:`WIDTH` wide, which scales with its page.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

__all__ = ["WIDTH", "bar", "cell", "dot", "drawing", "line", "text", "upright_whisker", "whisker"]

WIDTH = 760
# What fits in the margin of a chart; the whole label stands in the table beside it.
LONGEST_LABEL = 27


def drawing(ident: str, height: float, title: str, told: str, body: Sequence[Markup]) -> Markup:
    """A whole chart of ``height`` units; ``title`` and ``told`` are for those who do not see it."""
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {width} {height:.0f}" '
        'aria-labelledby="{id}-title {id}-told"><title id="{id}-title">{title}</title>'
        '<desc id="{id}-told">{told}</desc>{body}</svg>'
    ).format(width=WIDTH, height=height, id=ident, title=title, told=told, body=Markup("").join(body))


def text(x: float, y: float, words: str, style: str, anchor: str = "start") -> Markup:
    """Words at a base line; a label is cut to the margin."""
    if style == "label" and len(words) > LONGEST_LABEL:
        words = words[: LONGEST_LABEL - 1] + "…"
    shape = Markup('<text x="{:.1f}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>')
    return shape.format(x, y, style, anchor, words)


def bar(x: float, y: float, width: float, height: float, colour: str, told: str) -> Markup:
    """A bar, lying or standing; ``told`` shows under the pointer."""
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2" class="fill {}">'
        "<title>{}</title></rect>"
    ).format(x, y, width, height, colour, told)


def cell(x: float, y: float, size: tuple[float, float], tone: str, shade: float, told: str) -> Markup:
    """A field of a heat map, ``shade`` 0-1 deep; ``told`` shows under the pointer."""
    field = Markup('<rect x="{:.1f}" y="{:.1f}" width="{}" height="{}" rx="4" ').format(x, y, *size)
    filled = Markup('class="fill {}" fill-opacity="{:.2f}"><title>{}</title></rect>').format(
        tone, shade, told
    )
    return field + Markup('class="empty"/>') + field + filled


def whisker(low: float, high: float, y: float, cap: float = 5) -> Markup:
    """An interval, with ends of ``cap`` units up and down."""
    return Markup(
        '<path class="whisker" d="M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}V{4:.1f}M{1:.1f} {3:.1f}V{4:.1f}"/>'
    ).format(low, high, y, y - cap, y + cap)


def upright_whisker(x: float, low: float, high: float, cap: float = 4) -> Markup:
    """An interval on a standing bar, from ``low`` up to ``high``, with ends of ``cap`` units left and right."""
    return Markup(
        '<path class="whisker" d="M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {1:.1f}H{4:.1f}M{3:.1f} {2:.1f}H{4:.1f}"/>'
    ).format(x, low, high, x - cap, x + cap)


def line(start: float, end: float, y: float, style: str) -> Markup:
    """A horizontal line."""
    return Markup('<path class="{}" d="M{:.1f} {:.1f}H{:.1f}"/>').format(style, start, y, end)


def dot(x: float, y: float, colour: str) -> Markup:
    """A round mark."""
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="5.5" class="fill {}"/>').format(x, y, colour)
