"""The sweep over thresholds as a page that needs no other file: curves, table, reliability, and ways to combine scorers.

Everything that comes from outside is escaped. The page forbids scripts and every request.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from safety_assets import drawing
from safety_assets.scoring.calibration import ReliabilityBin
from safety_assets.scoring.ensemble import EnsembleRow
from safety_assets.scoring.operating_points import Choice, OperatingPoint, thinned

__all__ = ["SweepReport", "reliability_chart", "sweep_chart", "sweep_html", "sweep_markdown"]

# Steps that a curve is drawn with, and rows of the table beside those chosen.
DRAWN = 160
LISTED = 20
_LEFT, _TOP, _ROOM, _RIGHT = 44.0, 34.0, 230.0, 14.0
_WIDE = drawing.WIDTH - _LEFT - _RIGHT
# Thresholds are drawn by log-odds: what is rare has its thresholds near 0.
_TICKS = (0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99)
_ENDS = 5.0
_THICK = 2.4

_STYLE = (
    ".chart { background: #fff; font: 13px system-ui, sans-serif; } .chart text { fill: #1d2327; } "
    ".chart .muted { fill: #5d676e; } .chart .tiny { font-size: 11px; } .chart .small { font-size: 11.5px; } "
    ".chart .whisker { stroke: #1d2327; stroke-opacity: .7; stroke-width: 1.3; fill: none; } "
    ".chart .track { stroke: #e4e0d8; } .series0 { fill: #35618f; } .series1 { fill: #d58a36; } "
    ".series2 { fill: #8b7d57; }"
)


@dataclass(frozen=True)
class SweepReport:
    """What the page shows.

    Attributes:
        what: what counts as harmful, in words, such as "level 3 or above".
        scorer: whose probabilities they are.
        harmful: how many of the documents are.
        points: of a sweep.
        choices: one for each recall target.
        bins: of the same probabilities; ``error`` is their expected calibration error.
        ensembles: ways to combine scorers; may be empty.
    """

    what: str
    scorer: str
    documents: int
    harmful: int
    points: Sequence[OperatingPoint]
    choices: Sequence[Choice]
    bins: Sequence[ReliabilityBin]
    error: float
    ensembles: Sequence[EnsembleRow] = ()


def sweep_html(report: SweepReport) -> str:
    """The whole page."""
    chosen = [choice.point for choice in report.choices if choice.point]
    listed = {point.threshold: point for point in (*thinned(report.points, LISTED), *chosen)}
    return (
        _pages()
        .get_template("sweep.html.j2")
        .render(
            report=report,
            listed=[listed[threshold] for threshold in sorted(listed, reverse=True)],
            chosen={point.threshold for point in chosen},
            curves=sweep_chart(report.points, report.choices),
            reliability=reliability_chart(report.bins, report.error),
        )
    )


def sweep_markdown(report: SweepReport) -> str:
    """The operating points of the recall targets, and the ways to combine scorers, as Markdown tables."""
    lines = ["| recall target | threshold | recall | precision | false alarms |", "|---|---|---|---|---|"]
    for choice in report.choices:
        point = choice.point
        if point is None:
            lines.append(f"| {percent(choice.target)} | {choice.reason} | | | |")
        else:
            shares = (percent(_value(point, name)) for name in ("recall", "precision", "false_alarms"))
            lines.append(f"| {percent(choice.target)} | {point.threshold:.3g} | {' | '.join(shares)} |")
    lines += [
        "",
        "| scorer | macro F1 | recall ≥ 3 | precision ≥ 3 | false alarms ≥ 1 |",
        "|---|---|---|---|---|",
    ]
    for row in report.ensembles:
        found = (row.recall_ge3, row.precision_ge3, row.false_alarms)
        shares = (percent(share.value if share else None) for share in found)
        lines.append(f"| {row.name} | {row.macro_f1:.3f} | {' | '.join(shares)} |")
    return "\n".join(lines)


def sweep_chart(points: Sequence[OperatingPoint], choices: Sequence[Choice] = ()) -> Markup:
    """Recall (series 0) and precision (series 1) against the threshold, with the chosen points marked."""
    body = _grid()
    body += [
        drawing.text(_across(tick), _TOP + _ROOM + 17, f"{tick:g}", "tiny muted", anchor="middle")
        for tick in _TICKS
    ]
    body.append(
        drawing.text(_LEFT + _WIDE / 2, _TOP + _ROOM + 36, "threshold", "small muted", anchor="middle")
    )
    drawn = thinned(points, DRAWN)
    body += _steps(drawn, "recall", "series0") + _steps(drawn, "precision", "series1")
    told = []
    for place, choice in enumerate(choices):
        if choice.point is None:
            told.append(f"recall {percent(choice.target)}: {choice.reason}")
            continue
        recall, precision = _value(choice.point, "recall"), _value(choice.point, "precision")
        x = _across(choice.point.threshold)
        body.append(drawing.upright_whisker(x, _TOP, _TOP + _ROOM, 0))
        body += [
            drawing.dot(x, _up(value), colour)
            for value, colour in ((recall, "series0"), (precision, "series1"))
            if value is not None
        ]
        # Neighbouring labels stand on two lines.
        words = f"recall {100 * choice.target:.3g}\u202f%"
        body.append(drawing.text(x, _TOP - 8 - 13 * (place % 2), words, "tiny", anchor=_anchor(x)))
        told.append(
            f"recall {percent(recall)} at threshold {choice.point.threshold:.3g}, precision {percent(precision)}"
        )
    return drawing.drawing(
        "sweep",
        _TOP + _ROOM + 44,
        "Recall and precision against the threshold",
        "; ".join(told) or "No operating point is chosen.",
        body,
    )


def reliability_chart(bins: Sequence[ReliabilityBin], error: float) -> Markup:
    """The share that happened against the probability given; on the dotted line both are equal."""
    body = _grid()
    for part in range(5):
        x = _LEFT + _WIDE * part / 4
        body.append(
            drawing.text(x, _TOP + _ROOM + 17, f"{25 * part}\u202f%", "tiny muted", anchor=_anchor(x))
        )
    body.append(
        drawing.text(
            _LEFT + _WIDE / 2, _TOP + _ROOM + 36, "probability given", "small muted", anchor="middle"
        )
    )
    body += [
        drawing.bar(_LEFT + _WIDE * step / 60 - 1, _up(step / 60) - 1, 2, 2, "series2", "as often as it says")
        for step in range(61)
    ]
    told = []
    for part in bins:
        x, share = _LEFT + _WIDE * part.predicted, part.happened
        words = (
            f"{part.documents:,} documents given {percent(part.predicted)}: {percent(share.value)} happened"
        )
        body.append(drawing.upright_whisker(x, _up(share.low), _up(share.high)))
        # Under the mark lies a field that tells its numbers.
        body.append(drawing.bar(x - 7, _up(share.value) - 7, 14, 14, "series0", words))
        told.append(words)
    title = f"Reliability: expected calibration error {percent(error)}"
    return drawing.drawing("reliability", _TOP + _ROOM + 44, title, "; ".join(told) or "No documents.", body)


def percent(share: float | None) -> str:
    """A share in 0-1 with one decimal; a dash for none."""
    return "–" if share is None else f"{100 * share:.1f}\u202f%"


def _grid() -> list[Markup]:
    """Lines at each quarter of the height, with their shares."""
    body = []
    for part in range(5):
        y = _up(part / 4)
        body.append(drawing.line(_LEFT, _LEFT + _WIDE, y, "track"))
        body.append(drawing.text(_LEFT - 6, y + 4, f"{25 * part}\u202f%", "tiny muted", anchor="end"))
    return body


def _steps(points: Sequence[OperatingPoint], name: str, colour: str) -> list[Markup]:
    """A curve as steps: a point holds for all thresholds down to the next lower probability that occurs."""
    body = []
    for index, point in enumerate(points):
        value = _value(point, name)
        if value is None or _across(point.threshold) <= _LEFT:
            continue
        last = index + 1 == len(points)
        left = _LEFT if last else _across(points[index + 1].threshold)
        told = f"{name} {percent(value)} at threshold {point.threshold:.3g}"
        width = max(_across(point.threshold) - left, 0) + _THICK
        body.append(drawing.bar(left - _THICK / 2, _up(value) - _THICK / 2, width, _THICK, colour, told))
        following = None if last else _value(points[index + 1], name)
        if following is not None and left > _LEFT:
            top, bottom = sorted((_up(value), _up(following)))
            body.append(drawing.bar(left - _THICK / 2, top, _THICK, bottom - top, colour, told))
    return body


def _value(point: OperatingPoint, name: str) -> float | None:
    share = getattr(point, name)
    return share.value if share else None


def _across(threshold: float) -> float:
    inside = min(max(threshold, 1e-9), 1 - 1e-9)
    odds = min(max(math.log(inside / (1 - inside)), -_ENDS), _ENDS)
    return _LEFT + _WIDE * (odds + _ENDS) / (2 * _ENDS)


def _up(share: float) -> float:
    return _TOP + _ROOM * (1 - share)


def _anchor(x: float) -> str:
    """Words near an edge lean inwards."""
    if x < _LEFT + 40:
        return "start"
    return "end" if x > _LEFT + _WIDE - 40 else "middle"


@functools.cache
def _pages() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(percent=percent)
    environment.filters["number"] = "{:,}".format
    return environment
