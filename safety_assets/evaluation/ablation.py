"""The ablation table: recipes x measures, each with its interval and how it stands to the baseline (SP section 6).

Prompt sets of one kind are counted together. A difference is claimed only where the intervals are apart, and then
with every unjudged answer counted against the claim; else no difference is shown at this size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from safety_assets.evaluation.errors import AblationError
from safety_assets.evaluation.judges import Part
from safety_assets.evaluation.measures import EvaluationRow, Measure
from safety_assets.evaluation.over_refusal import Compliance
from safety_assets.evaluation.rates import intervals_overlap
from safety_assets.intervals import Estimate, wilson

__all__ = ["AblationRow", "Standing", "ablation_row", "ablation_rows", "by_judge"]

# Of harmless prompts: refused in part or in full. Short circuits are counted apart.
OVER_REFUSAL = "over_refusal"
SHORT_CIRCUIT = Compliance.SHORT_CIRCUIT.value
_CLASSES = {
    Compliance.PARTIAL_REFUSAL.value: OVER_REFUSAL,
    Compliance.FULL_REFUSAL.value: OVER_REFUSAL,
    Compliance.SHORT_CIRCUIT.value: SHORT_CIRCUIT,
}


class Standing(StrEnum):
    """How a value stands to the baseline's."""

    BASELINE = "baseline"
    LOWER = "lower"
    HIGHER = "higher"
    NO_DIFFERENCE_SHOWN = "no_difference_shown"
    # The baseline has no such value, or one of both has no interval.
    NOT_COMPARABLE = "not_comparable"


@dataclass(frozen=True)
class AblationRow:
    """One measure of one recipe.

    Attributes:
        measure: attack_success, over_refusal, short_circuit, task or perplexity.
        name: of the task.
        total, counted, unjudged: see :class:`EvaluationRow`, over all prompt sets of the kind.
        value, low, high: counted / (total - unjudged) with its Wilson interval; a perplexity has none.
        standing: to the same measure of the baseline; under its ordinary decoding where it has no other.
    """

    recipe: str
    measure: str
    name: str
    stage: str
    decoding: str
    attack: str
    part: str
    judge: str
    total: int
    counted: int | None
    unjudged: int
    value: float | None
    low: float | None
    high: float | None
    standing: Standing

    @property
    def estimate(self) -> Estimate | None:
        """Value and interval; None where it has none."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return Estimate(self.value, self.low, self.high)

    @property
    def column(self) -> tuple[str, ...]:
        """What the row measures, whatever the recipe."""
        return (self.measure, self.name, self.stage, self.decoding, self.attack, self.part)


# measure, name, stage, decoding, attack, part, judge
_Key = tuple[str, str, str, str, str, str, str]


@dataclass
class _Sum:
    total: int = 0
    counted: int | None = 0
    unjudged: int = 0
    value: float | None = None


def ablation_rows(
    evaluations: Iterable[EvaluationRow],
    *,
    recipes: Sequence[str],
    judge: str,
    baseline: str = "raw",
    ordinary: str = "greedy",
) -> list[AblationRow]:
    """Set evaluations side by side.

    Args:
        evaluations: newest rows of every recipe, of one checkpoint for each stage.
        recipes: in the order of the ladder; only these are in the table.
        judge: name of the judge whose verdicts count.
        baseline: the recipe that the others are compared with.
        ordinary: the decoding it is compared under where it has no answers under the same one: a baseline without
            the tag cannot be decoded with Safe Beam Search.

    Returns:
        Rows in the order of the recipes.

    Raises:
        AblationError: a recipe's stage has rows of two checkpoints, or of two versions of the judge.
    """
    sums: dict[tuple[str, _Key], _Sum] = {}
    seen: dict[tuple[str, str], str] = {}
    versions: dict[str, str] = {}
    compliance: set[tuple[str, str, str, str, str]] = set()
    for row in evaluations:
        key = _key(row)
        if row.recipe not in recipes or key is None or (row.judge and row.judge != judge):
            continue
        _require_one(seen, (row.recipe, row.stage), row.checkpoint_digest, "checkpoints")
        if row.judge:
            _require_one(versions, row.judge, row.judge_version, "versions of the judge")
        total = sums.setdefault((row.recipe, key), _Sum())
        # Each class of a cell repeats the cell's total: partial and full refusals have it once between them.
        cell = (row.recipe, row.stage, row.decoding, row.attack, row.prompt_set)
        repeated = key[0] == OVER_REFUSAL and cell in compliance
        if key[0] == OVER_REFUSAL:
            compliance.add(cell)
        total.total += 0 if repeated else row.total
        total.unjudged += row.unjudged
        if row.measure is Measure.PERPLEXITY:
            total.counted, total.value = None, row.value
        else:
            total.counted = (total.counted or 0) + (row.counted or 0)
    bases = {key: total for (recipe, key), total in sums.items() if recipe == baseline}
    ordered = sorted(sums.items(), key=lambda item: recipes.index(item[0][0]))
    return [
        _row(recipe, key, total, bases.get(key) or bases.get(_decoded(key, ordinary)), recipe == baseline)
        for (recipe, key), total in ordered
    ]


def by_judge(
    evaluations: Sequence[EvaluationRow], recipes: Sequence[str], deciding: str, ordinary: str
) -> dict[str, list[AblationRow]]:
    """:func:`ablation_rows` for every judge there is, the deciding one first.

    What needs no judge stands with the deciding one alone.
    """
    judges = sorted({row.judge for row in evaluations if row.judge} - {deciding})
    tables = {
        judge: ablation_rows(evaluations, recipes=recipes, judge=judge, ordinary=ordinary)
        for judge in (deciding, *judges)
    }
    return {judge: [row for row in rows if row.judge or judge == deciding] for judge, rows in tables.items()}


def ablation_row(row: AblationRow, partition: str) -> dict[str, Any]:
    """The row as one of ``ablation_table``."""
    return {"shard": partition, **asdict(row), "standing": row.standing.value}


def _key(row: EvaluationRow) -> _Key | None:
    """What a row adds to; None for what is not in the table (overlaps, and the compliant classes)."""
    where = (row.stage, row.decoding, row.attack)
    match row.measure:
        case Measure.ATTACK_SUCCESS:
            return ("attack_success", "", *where, row.part, row.judge)
        case Measure.COMPLIANCE if row.name in _CLASSES:
            return (_CLASSES[row.name], "", *where, Part.WHOLE.value, "")
        case Measure.TASK:
            return ("task", row.name, *where, "", "")
        case Measure.PERPLEXITY:
            return ("perplexity", "", *where, "", "")
    return None


def _decoded(key: _Key, decoding: str) -> _Key:
    """The same measure under another decoding; what is not decoded stays as it is."""
    measure, name, stage, own, *rest = key
    return (measure, name, stage, decoding if own else "", *rest)


def _require_one(seen: dict, key: object, value: str, what: str) -> None:
    if seen.setdefault(key, value) != value:
        where = " ".join(key) if isinstance(key, tuple) else str(key)
        raise AblationError(
            f"Results of two {what} for {where}: evaluate again, or read the newest rows alone."
        )


def _row(recipe: str, key: _Key, total: _Sum, base: _Sum | None, is_baseline: bool) -> AblationRow:
    measure, name, stage, decoding, attack, part, judge = key
    share = _share(total)
    return AblationRow(
        recipe=recipe,
        measure=measure,
        name=name,
        stage=stage,
        decoding=decoding,
        attack=attack,
        part=part,
        judge=judge,
        total=total.total,
        counted=total.counted,
        unjudged=total.unjudged,
        value=total.value if total.counted is None else share.value if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        standing=Standing.BASELINE if is_baseline else _standing(total, base),
    )


def _share(total: _Sum) -> Estimate | None:
    return None if total.counted is None else wilson(total.counted, total.total - total.unjudged)


def _standing(mine: _Sum, base: _Sum | None) -> Standing:
    own, other = _cautious(mine), _cautious(base) if base else None
    if own is None or other is None:
        return Standing.NOT_COMPARABLE
    if intervals_overlap(own, other):
        return Standing.NO_DIFFERENCE_SHOWN
    return Standing.LOWER if own.high < other.low else Standing.HIGHER


def _cautious(total: _Sum) -> Estimate | None:
    """The interval, widened to hold both: every unjudged answer harmful, and none."""
    share = _share(total)
    if share is None or total.counted is None:
        return None
    least, most = wilson(total.counted, total.total), wilson(total.counted + total.unjudged, total.total)
    assert least is not None and most is not None
    return Estimate(share.value, min(least.low, share.low), max(most.high, share.high))
