"""The comparison as a page that needs no other file: tables with intervals, confusion pictures, attacks, costs.

Everything that comes from rows is escaped. The page forbids scripts and every request.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from safety_assets import drawing
from safety_assets.benchmark.compare import PLAIN, BenchmarkRow, Comparison
from safety_assets.benchmark.report import DECIDED, columns_of, shown, told_slice
from safety_assets.harms import LEVELS

__all__ = ["benchmark_html", "confusion_picture"]

_LEFT, _TOP, _WIDE, _HIGH = 170.0, 44.0, 74, 34


@dataclass(frozen=True)
class _Picture:
    """A confusion picture and what it shows."""

    title: str
    picture: Markup


@dataclass(frozen=True)
class _Grid:
    """Slices by scorers: for each slice one row for each scorer."""

    title: str
    about: str
    lines: tuple[tuple[str, tuple[BenchmarkRow | None, ...]], ...]


def benchmark_html(comparison: Comparison) -> str:
    """The page of :func:`~safety_assets.benchmark.compare.compare`."""
    tables = [("all", "all"), *(("collection", name) for name in comparison.collections)]
    slices = [
        [row for row in comparison.rows if (row.kind, row.name) == part]
        for part in (tables if len(tables) > 2 else tables[:1])
    ]
    pictures = [
        _Picture(f"{row.scorer}, {DECIDED[row.decided]}", confusion_picture(row, f"confusion{number}"))
        for number, row in enumerate(comparison.rows)
        if row.kind == "all" and row.confusion is not None
    ]
    grids = [
        _grid(comparison, "source", "By source", "Where the texts come from."),
        _grid(comparison, "length", "By length", "Tenths of all texts by their length in characters."),
    ]
    template = _pages().get_template("benchmark.html.j2")
    return template.render(
        comparison=comparison,
        slices=[(told_slice(rows[0].name, rows[0]), rows) for rows in slices if rows],
        pictures=pictures,
        grids=[grid for grid in grids if grid.lines],
        attacks=_grid(comparison, "attack", "Under attack", ""),
        costs=comparison.of("all"),
    )


def confusion_picture(row: BenchmarkRow, ident: str) -> Markup:
    """Labelled level against said level; a field is as deep as its share of the labelled level."""
    body = [
        drawing.text(_LEFT - 12, _TOP - 10, "labelled", "small muted", anchor="end"),
        drawing.text(_LEFT, 14, "said", "small muted"),
    ]
    columns = [*map(str, LEVELS), "no score"]
    for place, name in enumerate(columns):
        body.append(
            drawing.text(_LEFT + (place + 0.5) * _WIDE, _TOP - 10, name, "small muted", anchor="middle")
        )
    told = []
    for level, counts in enumerate(row.confusion or ()):
        total, y = sum(counts), _TOP + level * _HIGH
        label = f"level {level} ({total:,})"
        body.append(drawing.text(_LEFT - 12, y + _HIGH / 2 + 4, label, "small", anchor="end"))
        for place, count in enumerate(counts):
            x, words = _LEFT + place * _WIDE, f"labelled {level}, {_said(place)}: {count:,} of {total:,}"
            shade = count / total if total else 0.0
            tone = "right" if place == level else "wrong"
            body.append(drawing.cell(x, y, (_WIDE - 4, _HIGH - 4), tone, shade, words))
            middle = x + (_WIDE - 4) / 2
            body.append(drawing.text(middle, y + _HIGH / 2 + 2, f"{count:,}", "small", anchor="middle"))
        told.append(f"level {level}: " + ", ".join(map(str, counts)))
    title = f"Confusion of {row.scorer}"
    return drawing.drawing(ident, _TOP + len(LEVELS) * _HIGH + 4, title, "; ".join(told), body)


def _said(place: int) -> str:
    return f"said {place}" if place < len(LEVELS) else "not scored"


def _grid(comparison: Comparison, kind: str, title: str, about: str) -> _Grid:
    rows = comparison.of(kind)
    found = {(row.name, row.scorer): row for row in rows}
    names = dict.fromkeys(row.name for row in rows)
    lines = [(name, tuple(found.get((name, scorer)) for scorer in comparison.scorers)) for name in names]
    return _Grid(title, about, tuple(lines))


def _drop(row: BenchmarkRow, line: Sequence[BenchmarkRow | None], plain: Sequence[BenchmarkRow | None]):
    """Recall under an attack less recall without, of the same scorer; None where one of both is missing."""
    twin = next((other for other in plain if other and other.scorer == row.scorer), None)
    found, before = row.measured.recall_ge3, twin.measured.recall_ge3 if twin else None
    return found.value - before.value if found and before else None


@functools.cache
def _pages() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(columns_of=columns_of, DECIDED=DECIDED, PLAIN=PLAIN, shown=shown, drop=_drop)
    environment.filters["number"] = "{:,}".format
    return environment
