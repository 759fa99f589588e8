"""Report cards as people read them: Markdown, one self-contained HTML page each, and an index that compares
them.

Templates hold the words and the layout, ``charts.py`` the pictures. All that comes from a card is escaped, in
HTML and in Markdown. A page asks for nothing: its content security policy forbids scripts and every request.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from safety_assets.harms import FIRST_REFUSED_LEVEL, LEVELS
from safety_assets.intervals import Estimate, wilson
from safety_assets.report_cards import charts, wording
from safety_assets.report_cards.errors import CardError
from safety_assets.report_cards.records import DISPOSITIONS, ReportCard, from_json, to_json

__all__ = ["index_html", "summary_markdown", "to_html", "to_markdown", "write_card", "write_index"]

# Dagster shows Markdown metadata inline below 1,000 characters.
SUMMARY_CHARS = 950
_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


def to_html(card: ReportCard) -> str:
    """The card as one HTML page, which needs no other file."""
    return _pages().get_template("card.html.j2").render(card=card, charts=_charts(card))


def to_markdown(card: ReportCard) -> str:
    """The whole card as GitHub-flavoured Markdown."""
    return _markdown().get_template("card.md.j2").render(card=card)


def summary_markdown(card: ReportCard) -> str:
    """The card in under 950 characters of Markdown; lines that do not fit are left out, the last ones
    first.
    """
    lines = _markdown().get_template("summary.md.j2").render(card=card).strip().splitlines(keepends=True)
    while sum(map(len, lines)) >= SUMMARY_CHARS:
        lines.pop()
    return "".join(lines)


def index_html(cards: Sequence[ReportCard], unreadable: Sequence[str] = ()) -> str:
    """One page that sets cards side by side, each linked to ``<dataset>.html`` beside it.

    Args:
        cards: in the order of their columns.
        unreadable: names of files that should be cards and are not; the page warns of them.
    """
    mixes = [(card.title, _levels(card.scores.counts, card.scores.unscored)) for card in cards]
    chart = charts.share_chart("levels", "Safety scores of every data set", mixes)
    page = _pages().get_template("index.html.j2")
    return page.render(cards=cards, unreadable=unreadable, chart=chart, rates=_rates(cards))


def write_card(card: ReportCard, folder: Path) -> dict[str, Path]:
    """Write ``<dataset>.json``, ``.md`` and ``.html``, each beside its old version and then in its place.

    Returns:
        'json', 'markdown' and 'html' to the path written.

    Raises:
        CardError: the card does not fit its schema; nothing is written then.
    """
    texts = {"json": to_json(card), "markdown": to_markdown(card), "html": to_html(card)}
    folder.mkdir(parents=True, exist_ok=True)
    suffixes = {"json": "json", "markdown": "md", "html": "html"}
    return {kind: _replace(folder / f"{card.dataset}.{suffixes[kind]}", text) for kind, text in texts.items()}


def write_index(folder: Path) -> Path:
    """Write ``index.html`` over all cards in ``folder``; writers at the same time take turns, so that none is
    missed.
    """
    with _turn(folder):
        cards, unreadable = [], []
        for file in sorted(folder.glob("*.json")):
            try:
                cards.append(from_json(file.read_text("utf-8")))
            except (CardError, UnicodeDecodeError):
                unreadable.append(file.name)
        return _replace(folder / "index.html", index_html(cards, unreadable))


@dataclass(frozen=True)
class _RateRow:
    """One category over all cards; depths 0-60 tint each rate by its size within the row."""

    category: str
    rates: tuple[Estimate | None, ...]
    depths: tuple[int, ...]


def _rates(cards: Sequence[ReportCard]) -> list[_RateRow]:
    found = [{row.category: row.rate for row in card.ngrams} for card in cards]
    rows = []
    for category in dict.fromkeys(category for rates in found for category in rates):
        rates = tuple(by_category.get(category) for by_category in found)
        largest = max((rate.value for rate in rates if rate), default=0.0) or 1.0
        depths = tuple(round(60 * rate.value / largest) if rate else 0 for rate in rates)
        rows.append(_RateRow(category, rates, depths))
    return rows


def _charts(card: ReportCard) -> dict[str, Markup]:
    by_kind = [
        (kind, sum(row.count for row in card.dispositions if row.kind == kind)) for kind in DISPOSITIONS
    ]
    drawn: dict[str, Markup] = {"scores": charts.score_chart(card.scores)}
    mixes = [(part.name, _levels(part.score_counts, part.unscored)) for part in card.slices]
    drawn["slices"] = charts.share_chart("slices", "Safety scores by slice", mixes)
    drawn["ngrams"] = charts.ngram_chart(card.slices)
    states = [
        (row.scorer, [(tally.name, tally.name, tally.count) for tally in row.states]) for row in card.states
    ]
    drawn["states"] = charts.share_chart("states", "States of the scores by scorer", states)
    row = ("all documents", [(wording.plain_name(kind), kind, count) for kind, count in by_kind])
    drawn["dispositions"] = charts.share_chart("dispositions", "What became of the documents", [row])
    if card.transition is not None:
        drawn["transition"] = charts.transition_chart(card.transition)
    if card.comparison is not None:
        drawn["comparison"] = charts.comparison_chart(card.comparison)
    return drawn


def _levels(counts: Sequence[int], unscored: int) -> list[tuple[str, str, int]]:
    parts = [
        (wording.level_name(level), f"level{level}", count)
        for level, count in zip(LEVELS, counts, strict=True)
    ]
    return [*parts, ("no score", "unscored", unscored)]


def _at_least(level: int, card: ReportCard) -> Estimate | None:
    """The share of scored documents at ``level`` or above."""
    return wilson(sum(card.scores.counts[level:]), sum(card.scores.counts))


@functools.cache
def _pages() -> Environment:
    return _environment(autoescape=True)


@functools.cache
def _markdown() -> Environment:
    return _environment(autoescape=False, finalize=_markdown_escaped)


def _environment(**options: object) -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=folder, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options
    )
    environment.globals.update(
        percent=wording.percent,
        rate=wording.rate,
        span=wording.span,
        level_name=wording.level_name,
        LEVELS=LEVELS,
    )
    environment.globals.update(at_least=_at_least, REFUSED=int(FIRST_REFUSED_LEVEL), SERIES=charts.SERIES)
    environment.globals["LEVEL_KEY"] = [(colour, name) for name, colour, _ in _levels([0] * len(LEVELS), 0)]
    environment.filters.update(plain=wording.plain_name, number="{:,}".format, short=wording.short)
    return environment


def _markdown_escaped(value: object) -> str:
    """A value as Markdown text of one line: no markup, no HTML, no table cell of its own."""
    words = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", words)


def _replace(path: Path, text: str) -> Path:
    """Write a file beside ``path`` and rename it, so that readers see the old text or the new."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".index.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
