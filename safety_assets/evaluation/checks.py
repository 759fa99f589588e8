"""Gates of evaluations: every prompt answered once, and enough of the answers judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resources.lake import GateOutcome
from safety_assets.evaluation.judges import Part
from safety_assets.evaluation.measures import EvaluationRow, Measure

if TYPE_CHECKING:
    from safety_assets.evaluation.examine import Examined

__all__ = ["CHECKS", "WARNINGS", "evaluation_gates"]

CHECKS = {
    "conservation": "Every cell of the plan has exactly one answer for each of its prompts.",
    "judged": "Some judge gave a verdict on most answers.",
}
WARNINGS = {
    "no_overlap": "No prompt shares a run of eight words with a text that the models were trained on.",
}
LEAST_JUDGED = 0.8


def evaluation_gates(examined: Examined) -> tuple[list[GateOutcome], dict[str, int | float]]:
    """Outcomes for an examination, and the numbers for its metadata."""
    wrong = sum(prompts != answers for _, prompts, answers in examined.cells)
    attacks = [
        row for row in examined.rows if row.measure is Measure.ATTACK_SUCCESS and row.part == Part.WHOLE.value
    ]
    share = _best_judged(attacks)
    shared = sum(row.counted or 0 for row in examined.rows if row.measure is Measure.OVERLAP)
    outcomes = [
        GateOutcome("conservation", wrong == 0, True, {"cells": len(examined.cells), "wrong_cells": wrong}),
        GateOutcome("judged", share >= LEAST_JUDGED, True, {"judged_share": share}),
        GateOutcome("no_overlap", shared == 0, False, {"shared_prompts": shared}),
    ]
    numbers: dict[str, int | float] = {
        "cells": len(examined.cells),
        "answers": sum(answers for *_, answers in examined.cells),
        "answers_asked_now": examined.asked,
    }
    for row in attacks:
        if row.value is not None:
            attack = "_prefill" if row.attack == "prefill" else ""
            name = f"asr_{row.stage}{attack}_{row.decoding}_{row.judge}".replace("-", "_")
            numbers[name] = row.value
    for row in examined.rows:
        if row.measure is Measure.PERPLEXITY and row.value is not None:
            numbers["perplexity"] = row.value
        if row.measure is Measure.TASK and row.value is not None:
            numbers[f"task_{row.name}_{row.stage}"] = row.value
    return outcomes, numbers


def _best_judged(attacks: Sequence[EvaluationRow]) -> float:
    """The share of answers that the judge with most verdicts judged; 1 where there was nothing to judge."""
    totals: dict[str, list[int]] = {}
    for row in attacks:
        found = totals.setdefault(row.judge, [0, 0])
        found[0] += row.total - row.unjudged
        found[1] += row.total
    return max((judged / total for judged, total in totals.values() if total), default=1.0)
