"""Charts of the ablation table as inline SVG: standing bars in groups with their intervals, as in SP's figures 2 and 4.

Pure functions of rows. Every name is escaped, every bar tells its numbers as text, and a chart has a description
for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from safety_assets import drawing
from safety_assets.evaluation.ablation import AblationRow
from safety_assets.intervals import Estimate

__all__ = ["SERIES", "Group", "grouped_bars", "ladder_chart", "percent", "stage_chart"]

# Bars of one group that can still be told apart; the tables have all values.
SERIES = 6
_LEFT, _TOP, _ROOM = 44, 18, 210
_LINES = 3
_STAGES = {"base": "base model", "instruct": "instruct model", "finetuned": "after finetuning"}


@dataclass(frozen=True)
class Group:
    """Bars that stand together; None where a series has no value in this group."""

    label: str
    bars: tuple[Estimate | None, ...]


def percent(share: float) -> str:
    """A share in 0-1 with one decimal."""
    return f"{100 * share:.1f}\u2009%"


def grouped_bars(ident: str, title: str, groups: Sequence[Group], series: Sequence[str]) -> Markup:
    """Shares as standing bars, at most :data:`SERIES` in a group, each with its interval.

    Args:
        ident: makes the chart's ids unique on its page.
        series: names of the bars of a group, in their order.
    """
    shown = list(series)[:SERIES]
    reach = _reach([bar for group in groups for bar in group.bars[: len(shown)]])
    body = _scale(reach)
    told = []
    step = (drawing.WIDTH - _LEFT) / max(len(groups), 1)
    thick = min(40.0, 0.82 * step / max(len(shown), 1))
    for at, group in enumerate(groups):
        first = _LEFT + at * step + (step - thick * len(shown)) / 2
        words = []
        for place, (name, bar) in enumerate(zip(shown, group.bars, strict=False)):
            words.append(f"{name} {_told(bar)}")
            body += _bar(first + place * thick, thick, bar, reach, place, f"{group.label}, {words[-1]}")
        body += _label(_LEFT + (at + 0.5) * step, group.label, step)
        told.append(f"{group.label}: " + ", ".join(words))
    height = _TOP + _ROOM + 16 * _LINES + 8
    return drawing.drawing(ident, height, title, "; ".join(told), body)


def stage_chart(rows: Sequence[AblationRow], arms: Sequence[tuple[str, str]]) -> Markup:
    """Attack success by stage, one bar for each (recipe, decoding), like figure 2 of SP."""
    values = _attack_values(rows)
    stages = [stage for stage in _STAGES if any(key[1] == stage for key in values)]
    groups = [
        Group(_STAGES[stage], tuple(values.get((recipe, stage, decoding)) for recipe, decoding in arms))
        for stage in stages
    ]
    return grouped_bars("stages", "Attack success rate by stage", groups, [arm_name(*arm) for arm in arms])


def ladder_chart(
    rows: Sequence[AblationRow], recipes: Sequence[str], series: Sequence[tuple[str, str]]
) -> Markup:
    """Attack success by recipe, one bar for each (stage, decoding), like figure 4 of SP."""
    values = _attack_values(rows)
    groups = [
        Group(plain(recipe), tuple(values.get((recipe, stage, decoding)) for stage, decoding in series))
        for recipe in recipes
    ]
    return grouped_bars(
        "ladder", "Attack success rate by recipe", groups, [stage_name(*part) for part in series]
    )


def arm_name(recipe: str, decoding: str) -> str:
    """A recipe under a decoding, in words."""
    return f"{plain(recipe)}, {plain(decoding).lower()}"


def stage_name(stage: str, decoding: str) -> str:
    """A stage under a decoding, in words."""
    return f"{_STAGES.get(stage, plain(stage))}, {plain(decoding).lower()}"


def plain(key: str) -> str:
    """A key as words, its first letter large."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _attack_values(rows: Sequence[AblationRow]) -> Mapping[tuple[str, str, str], Estimate | None]:
    return {
        (row.recipe, row.stage, row.decoding): row.estimate
        for row in rows
        if row.measure == "attack_success" and row.attack == "none" and row.part == "whole"
    }


def _reach(bars: Sequence[Estimate | None]) -> float:
    """The top of the scale: a tenth above all intervals, at most 1."""
    highest = max((bar.high for bar in bars if bar), default=1.0)
    return min(1.0, max(0.1, -(-highest * 10 // 1) / 10))


def _scale(reach: float) -> list[Markup]:
    body = []
    for part in range(5):
        share = reach * part / 4
        y = _TOP + _ROOM * (1 - part / 4)
        body.append(drawing.line(_LEFT, drawing.WIDTH, y, "track"))
        body.append(drawing.text(_LEFT - 6, y + 4, f"{100 * share:.3g}\u2009%", "tiny muted", anchor="end"))
    return body


def _bar(
    left: float, thick: float, bar: Estimate | None, reach: float, place: int, told: str
) -> list[Markup]:
    bottom, middle = _TOP + _ROOM, left + thick / 2
    if bar is None:
        return [drawing.text(middle, bottom - 4, "–", "tiny muted", anchor="middle")]

    def up(share: float) -> float:
        return bottom - _ROOM * min(share / reach, 1.0)

    top = min(up(bar.value), bottom - 1.5)
    shapes = [drawing.bar(left + 1.5, top, thick - 3, bottom - top, f"series{place}", told)]
    shapes.append(drawing.upright_whisker(middle, up(bar.low), up(bar.high), min(4.0, thick / 4)))
    if thick >= 22:
        shapes.append(
            drawing.text(middle, up(bar.high) - 5, f"{100 * bar.value:.0f}", "tiny value", anchor="middle")
        )
    return shapes


def _label(x: float, words: str, room: float) -> list[Markup]:
    """The group's name under its bars, in up to three lines."""
    fits = max(6, int(room / 6.2))
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= fits or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = [line if len(line) <= fits else line[: fits - 1] + "…" for line in lines[:_LINES]]
    if len(lines) > _LINES:
        cut[-1] = cut[-1][: fits - 1].rstrip("…") + "…"
    base = _TOP + _ROOM + 16
    return [drawing.text(x, base + 15 * at, line, "small", anchor="middle") for at, line in enumerate(cut)]


def _told(bar: Estimate | None) -> str:
    if bar is None:
        return "no value"
    return f"{percent(bar.value)} ({percent(bar.low)} to {percent(bar.high)})"
