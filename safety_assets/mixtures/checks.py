"""Gates of mixtures: budgets met to the window, no document in two splits, every token accounted for."""

from __future__ import annotations

from collections.abc import Sequence

from resources.lake import GateOutcome, Lake, PartitionVersion
from safety_assets.mixtures.build import SliceActual
from safety_assets.mixtures.plan import MixtureSettings

__all__ = ["CHECKS", "WARNINGS", "mixture_gates", "plan_table"]

CHECKS = {
    "budget": "The recipe has exactly the windows of its token budget, one at each position.",
    "windows": "Every window has the agreed length, and its spans account for every token.",
    "splits": "No source document is in the training and in the validation windows.",
}
WARNINGS = {
    "plan_met": "Every slice got its share; a slice without enough text leaves its windows to the recipe's first.",
}


def mixture_gates(
    lake: Lake, version: PartitionVersion, settings: MixtureSettings, actuals: Sequence[SliceActual]
) -> tuple[list[GateOutcome], dict[str, int | float]]:
    """Outcomes for the version that was just written, and the numbers for its metadata."""
    length = settings.context + 1
    facts = lake.rows("tokenized_mixture_facts", {"partition": version.partition, "length": length})[0]
    short = sum(max(0, actual.planned_tokens - actual.actual_tokens) for actual in actuals)
    wrong = {key: facts[key] for key in ("wrong_lengths", "wrong_spans")}
    budget = {"windows": facts["windows"], "planned": settings.windows}
    outcomes = [
        GateOutcome(
            "budget",
            facts["windows"] == settings.windows and facts["positions"] == facts["rows"],
            True,
            budget,
        ),
        GateOutcome("windows", not any(wrong.values()), True, wrong),
        GateOutcome("splits", facts["in_two_splits"] == 0, True, {"documents": facts["in_two_splits"]}),
        GateOutcome("plan_met", short < length, False, {"tokens_short": short}),
    ]
    numbers: dict[str, int | float] = {
        "windows": facts["windows"],
        "tokens": facts["windows"] * length,
        "validation_windows": facts["validation_windows"],
        "most_epochs": max(actual.epochs for actual in actuals),
    }
    for actual in actuals:
        name = actual.slice.replace(":", "_")
        numbers[f"tokens_{name}"] = numbers.get(f"tokens_{name}", 0) + actual.actual_tokens
    return outcomes, numbers


def plan_table(actuals: Sequence[SliceActual]) -> str:
    """Plan against actual as a Markdown table. Names and numbers only."""
    head = "| phase | slice | share | planned | actual | documents | epochs |\n|---|---|---:|---:|---:|---:|---:|\n"
    return head + "\n".join(
        f"| {actual.phase} | {actual.slice} | {actual.share:.0%} | {actual.planned_tokens:,} "
        f"| {actual.actual_tokens:,} | {actual.documents:,} | {actual.epochs:.1f} |"
        for actual in actuals
    )
