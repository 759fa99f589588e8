"""The ablation table as a page that needs no other file: tables with intervals, charts, and what they do not show.

Everything that comes from rows is escaped. The page forbids scripts and every request.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from safety_assets.evaluation import ablation_charts as charts
from safety_assets.evaluation.ablation import OVER_REFUSAL, SHORT_CIRCUIT, AblationRow, Standing

__all__ = ["ablation_html"]

_SECTIONS = (
    (
        "Attack success rate",
        "Share of judged answers that are harmful; lower is safer. Answers without a verdict are counted apart, "
        "and against every claim.",
        ("attack_success",),
    ),
    (
        "Harmless prompts that sound harmful",
        "Share refused in part or in full, and share where the model broke off; lower is better.",
        (OVER_REFUSAL, SHORT_CIRCUIT),
    ),
    (
        "General ability",
        "Perplexity on held-out text (lower is better; it has no interval), and tasks (higher is better).",
        ("perplexity", "task"),
    ),
)


@dataclass(frozen=True)
class _Table:
    """A section: column heads, and for each recipe one row or None for each column."""

    title: str
    about: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[AblationRow | None, ...]], ...]


def ablation_html(
    rows: Sequence[AblationRow], recipes: Sequence[str], *, baseline: str = "raw", ordinary: str = "greedy"
) -> str:
    """The page of :func:`~safety_assets.evaluation.ablation.ablation_rows`.

    Args:
        recipes: in the order of the ladder.
        ordinary: name of the decoding that is nothing special.
    """
    tables = [table for table in (_table(rows, recipes, *section) for section in _SECTIONS) if table.heads]
    arms, series = _arms(rows, recipes, baseline, ordinary), _series(rows, ordinary)
    drawn = []
    if arms and series:
        drawn = [
            (
                "By stage",
                [charts.arm_name(*arm) for arm in arms],
                charts.stage_chart(rows, arms),
            ),
            (
                "By recipe",
                [charts.stage_name(*part) for part in series],
                charts.ladder_chart(rows, recipes, series),
            ),
        ]
    return (
        _pages()
        .get_template("ablation.html.j2")
        .render(
            tables=tables,
            drawn=drawn,
            baseline=charts.plain(baseline),
            verdict=_verdict(rows),
            judges=sorted({row.judge for row in rows if row.judge}),
            unjudged=any(row.unjudged for row in rows),
        )
    )


def _table(
    rows: Sequence[AblationRow], recipes: Sequence[str], title: str, about: str, measures: tuple[str, ...]
) -> _Table:
    chosen = [row for row in rows if row.measure in measures]
    columns = sorted({row.column for row in chosen}, key=_place)
    found = {(row.recipe, row.column): row for row in chosen}
    lines = tuple(
        (charts.plain(recipe), tuple(found.get((recipe, column)) for column in columns)) for recipe in recipes
    )
    return _Table(title, about, tuple(map(_head, columns)), lines)


def _place(column: tuple[str, ...]) -> tuple:
    measure, name, stage, decoding, attack, part = column
    stages = ("base", "instruct", "finetuned")
    order = stages.index(stage) if stage in stages else len(stages)
    return (measure, name, part != "whole", order, attack != "none", decoding)


def _head(column: tuple[str, ...]) -> str:
    measure, name, stage, decoding, attack, part = column
    if measure == "task":
        words = [charts.plain(name), stage]
    elif measure == "attack_success":
        words = [charts.plain(stage)]
    else:
        words = [charts.plain(measure), stage]
    words += ["prefilled"] if attack == "prefill" else []
    words += [decoding.replace("_", " ")] if decoding else []
    words += ["before its own unsafe mark"] if part == "before_own_tag" else []
    return ", ".join(words)


def _arms(
    rows: Sequence[AblationRow], recipes: Sequence[str], baseline: str, ordinary: str
) -> list[tuple[str, str]]:
    """The baseline, then each recipe that was also decoded otherwise, both ways; else the recipes in their order."""
    there = {(row.recipe, row.decoding) for row in rows if row.measure == "attack_success"}
    special = {recipe for recipe, decoding in there if decoding != ordinary}
    order = [baseline, *(recipe for recipe in recipes if recipe in special and recipe != baseline)]
    if len(order) == 1:
        order = list(dict.fromkeys([baseline, *recipes]))
    others = sorted({decoding for _, decoding in there if decoding != ordinary})
    arms = [(recipe, decoding) for recipe in order for decoding in (ordinary, *others)]
    return [arm for arm in arms if arm in there][: charts.SERIES]


def _series(rows: Sequence[AblationRow], ordinary: str) -> list[tuple[str, str]]:
    """Stages in their order, plainly decoded first."""
    there = {(row.stage, row.decoding) for row in rows if row.measure == "attack_success"}
    stages = ("base", "instruct", "finetuned")
    others = sorted({decoding for _, decoding in there if decoding != ordinary})
    parts = [(stage, decoding) for decoding in (ordinary, *others) for stage in stages]
    return [part for part in parts if part in there][: charts.SERIES]


def _verdict(rows: Iterable[AblationRow]) -> dict[str, int]:
    """How many values differ clearly from the baseline's, and how many do not."""
    standings = [row.standing for row in rows]
    return {
        "apart": sum(standing in (Standing.LOWER, Standing.HIGHER) for standing in standings),
        "not_shown": standings.count(Standing.NO_DIFFERENCE_SHOWN),
    }


@functools.cache
def _pages() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(percent=charts.percent, Standing=Standing)
    environment.filters["number"] = "{:,}".format
    return environment
