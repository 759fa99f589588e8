"""Charts of a report card as inline SVG.

Each chart is a pure function of records: no fonts, scripts or images from elsewhere, and every name is
escaped. Colours are CSS classes that the page's style sheet defines for light, dark and paper. Every chart
has a title and a description for those who do not see it, and states its numbers as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from safety_assets import drawing as svg
from safety_assets.harms import LEVELS
from safety_assets.intervals import Estimate, wilson
from safety_assets.report_cards.records import CategoryRate, Comparison, ScoreDistribution, Slice
from safety_assets.report_cards.wording import level_name, percent, plain_name, rate, span

__all__ = ["SERIES", "comparison_chart", "ngram_chart", "score_chart", "share_chart", "transition_chart"]

# Slices that are drawn beside each other; the table under the chart has all of them.
SERIES = 6


@dataclass(frozen=True)
class _Axis:
    """A linear axis from 0 at ``left`` to ``reach`` at ``left + room``."""

    left: float
    room: float
    reach: float

    def length(self, value: float) -> float:
        return self.room * min(value / self.reach, 1.0)

    def bar(self, middle: float, thickness: float, estimate: Estimate, colour: str, told: str) -> Markup:
        """A bar from 0 with its interval, which is cut off where the axis ends."""
        length = max(self.length(estimate.value), 1.5)
        drawn = svg.bar(self.left, middle - thickness / 2, length, thickness, colour, told)
        return drawn + self.interval(estimate, middle, thickness / 4)

    def interval(self, estimate: Estimate, middle: float, cap: float) -> Markup:
        ends = (self.left + self.length(end) for end in (estimate.low, estimate.high))
        return svg.whisker(*ends, middle, cap)


def score_chart(scores: ScoreDistribution) -> Markup:
    """Bars of the share at each level with 95 % intervals; below, unscored documents as a share of all."""
    rows = [
        (level_name(level), f"level{level}", share, count)
        for level, share, count in zip(LEVELS, scores.shares, scores.counts, strict=True)
    ]
    everything = sum(scores.counts) + scores.unscored
    rows.append(("no score", "unscored", wilson(scores.unscored, everything), scores.unscored))
    axis = _axis(92, 430, [share for _, _, share, _ in rows])
    body, told = [], []
    for row, (label, colour, share, count) in enumerate(rows):
        middle = row * 34 + (25 if label == "no score" else 15)
        shown = f"{percent(share.value)}" if share else "no documents"
        told.append(f"{label}: {shown}")
        body.append(svg.text(80, middle + 4, label, "label", anchor="end"))
        if share is None:
            body.append(svg.text(92, middle + 4, shown, "muted"))
            continue
        body.append(axis.bar(middle, 20, share, colour, f"{label}: {count:,}"))
        after = 92 + axis.length(share.high) + 12
        body.append(svg.text(after, middle + 4, shown, "value"))
        body.append(svg.text(after + 62, middle + 4, f"{span(share, 'percent')} · {count:,}", "muted"))
    return svg.drawing("scores", len(rows) * 34 + 14, "Safety scores", "; ".join(told), body)


def share_chart(ident: str, title: str, rows: Sequence[tuple[str, Sequence[tuple[str, str, int]]]]) -> Markup:
    """One full-width bar for each row, divided by the shares of its parts.

    Args:
        ident: makes the chart's ids unique on its page.
        title: for those who do not see the chart.
        rows: label, and parts as (name, CSS class of the colour, count).
    """
    left, room, step = 200, 440, 32
    body, told = [], []
    for row, (label, parts) in enumerate(rows):
        top, total, at = row * step, sum(count for *_, count in parts), float(left)
        body.append(svg.text(left - 12, top + 19, label, "label", anchor="end"))
        for name, colour, count in parts:
            width = room * count / total if total else 0.0
            if count:
                body.append(svg.bar(at, top + 5, max(width - 1.5, 1), 20, colour, f"{name}: {count:,}"))
            at += width
        if not total:
            body.append(svg.text(left, top + 19, "no documents", "muted"))
        body.append(svg.text(left + room + 12, top + 19, f"{total:,}", "value"))
        told.append(f"{label}: " + ", ".join(f"{name} {count:,}" for name, _, count in parts))
    return svg.drawing(ident, len(rows) * step + 4, title, "; ".join(told), body)


def ngram_chart(slices: Sequence[Slice]) -> Markup:
    """Grouped bars: occurrences per million tokens by category, one for each of the first slices."""
    drawn = [part for part in slices if part.ngrams][:SERIES]
    axis = _axis(200, 420, [found.rate for part in drawn for found in part.ngrams])
    thick = 14 if len(drawn) < 3 else 12
    step = len(drawn) * thick + 12
    body, told = [], []
    for row, group in enumerate(zip(*(part.ngrams for part in drawn), strict=True)):
        name, top = plain_name(group[0].category), row * step
        body.append(svg.text(188, top + step / 2 + 4, name, "label", anchor="end"))
        for series, found in enumerate(group):
            middle = top + 6 + (series + 0.5) * thick
            estimate = found.rate or Estimate(0.0, 0.0, 0.0)
            words = f"{drawn[series].name}: {_shown(found)}"
            body.append(axis.bar(middle, thick - 3, estimate, f"series{series}", words))
            end = 200 + axis.length(estimate.high) + 8
            body.append(svg.text(end, middle + 4, _shown(found), "small value"))
        told.append(f"{name}: " + ", ".join(map(_shown, group)))
    title = "N-grams per million tokens by category and slice"
    return svg.drawing("ngrams", len(told) * step + 4, title, "; ".join(told), body)


def comparison_chart(comparison: Comparison) -> Markup:
    """Original and rephrased rate of each category, joined by a line, with the change between them."""
    pairs = [(row.original, row.rephrased) for row in comparison.categories]
    axis = _axis(200, 320, [found.rate for pair in pairs for found in pair])
    body, told = [], []
    for row, (change, pair) in enumerate(zip(comparison.categories, pairs, strict=True)):
        middle, name = row * 28 + 14, plain_name(change.category)
        body.append(svg.text(188, middle + 4, name, "label", anchor="end"))
        body.append(svg.line(200, 520, middle, "track"))
        places = [200 + axis.length(found.rate.value) for found in pair if found.rate]
        body.append(svg.line(min(places, default=200), max(places, default=200), middle, "link"))
        for found, colour in zip(pair, ("before", "after"), strict=True):
            if found.rate:
                body.append(axis.interval(found.rate, middle, 0))
                body.append(svg.dot(200 + axis.length(found.rate.value), middle, colour))
        shown = " → ".join(map(_shown, pair))
        body.append(svg.text(540, middle + 4, shown, "value"))
        body.append(svg.text(svg.WIDTH, middle + 4, _change(change.ratio), "change", anchor="end"))
        told.append(f"{name}: {shown}")
    title = f"N-grams per million tokens, {comparison.original} against {comparison.rephrased}"
    return svg.drawing("comparison", len(pairs) * 28 + 4, title, "; ".join(told), body)


def transition_chart(matrix: Sequence[Sequence[int]]) -> Markup:
    """Heat map of documents by level before (rows) and after; the deeper, the larger a share of its row."""
    left, top, wide, high = 92, 26, 92, 42
    columns = [*(level_name(level) for level in LEVELS), "no score"]
    body = [
        svg.text(left + (at + 0.5) * wide, 16, name, "label", anchor="middle")
        for at, name in enumerate(columns)
    ]
    told = []
    for before, row in enumerate(matrix):
        y = top + before * high
        body.append(svg.text(left - 12, y + 25, level_name(before), "label", anchor="end"))
        for after, count in enumerate(row):
            x, share = left + after * wide, count / max(sum(row), 1)
            words = f"{columns[before]} to {columns[after]}: {count:,}"
            shade = 0.1 + 0.55 * share if count else 0.0
            body.append(svg.cell(x + 1.5, y + 1.5, (wide - 3, high - 3), _tone(before, after), shade, words))
            if count:
                body.append(svg.text(x + wide / 2, y + 19, f"{count:,}", "value", anchor="middle"))
                body.append(svg.text(x + wide / 2, y + 33, percent(share), "tiny", anchor="middle"))
        told.append(f"{level_name(before)} to " + ", ".join(f"{count:,}" for count in row))
    height = top + len(matrix) * high + 2
    return svg.drawing("transition", height, "Safety level before and after", "; ".join(told), body)


def _axis(left: float, room: float, estimates: Iterable[Estimate | None]) -> _Axis:
    """An axis that holds all values, and intervals unless they are far wider than the largest value."""
    known = [estimate for estimate in estimates if estimate]
    highest = max((estimate.high for estimate in known), default=0.0)
    largest = max((estimate.value for estimate in known), default=0.0)
    return _Axis(left, room, min(highest, 1.4 * largest) or highest or 1.0)


def _shown(found: CategoryRate) -> str:
    return rate(found.rate.value) if found.rate else "no tokens"


def _tone(before: int, after: int) -> str:
    if after == len(LEVELS):
        return "unscored"
    return "lower" if after < before else "higher" if after > before else "same"


def _change(ratio: Estimate | None) -> str:
    """The change of a rate in per cent; in brackets where its interval holds no change."""
    if ratio is None:
        return ""
    change = f"{100 * (ratio.value - 1):+,.0f}\u2009%".replace("-", "−")
    return f"({change})" if ratio.low <= 1 <= ratio.high else change
