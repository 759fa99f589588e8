"""The ablation table in short: for the UI and for the end of a run; and evaluations read back from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resources.lake import Lake
from safety_assets.evaluation.ablation import OVER_REFUSAL, AblationRow
from safety_assets.evaluation.judges import Part
from safety_assets.evaluation.measures import EvaluationRow, Measure

__all__ = ["ablation_markdown", "evaluation_rows_of", "headline_columns", "headline_values"]

# Heading, then what chooses the value. The decoding is "*" where it has none, and "ordinary" for all but SafeBeam.
_COLUMNS = (
    ("base", ("attack_success", "base", "ordinary", "none")),
    ("base SafeBeam", ("attack_success", "base", "safe_beam", "none")),
    ("tuned", ("attack_success", "instruct", "ordinary", "none")),
    ("tuned SafeBeam", ("attack_success", "instruct", "safe_beam", "none")),
    ("prefilled", ("attack_success", "instruct", "ordinary", "prefill")),
    ("finetuned", ("attack_success", "finetuned", "ordinary", "none")),
    ("finetuned SafeBeam", ("attack_success", "finetuned", "safe_beam", "none")),
    ("over-refusal", (OVER_REFUSAL, "instruct", "ordinary", "none")),
    ("perplexity", ("perplexity", "base", "*", "")),
)


def evaluation_rows_of(lake: Lake, recipes: Sequence[str]) -> list[EvaluationRow]:
    """The newest evaluations of recipes."""
    with lake.read("safety_evaluation") as reader:
        rows = [row for batch in reader for row in batch.to_pylist()]
    return [_row(row) for row in rows if row["shard"] in recipes]


def headline_columns() -> list[str]:
    """Headings of :func:`headline_values`."""
    return [heading for heading, _ in _COLUMNS]


def headline_values(rows: Sequence[AblationRow], recipe: str) -> list[str]:
    """The recipe's main values as text, shares in percent with their intervals; a dash where there is none."""
    own = [row for row in rows if row.recipe == recipe and row.part in ("", Part.WHOLE.value)]
    return [_shown(next((row for row in own if _fits(row, wanted)), None)) for _, wanted in _COLUMNS]


def ablation_markdown(rows: Sequence[AblationRow], recipes: Sequence[str]) -> str:
    """A Markdown table of the main values."""
    head = ["recipe", *headline_columns()]
    lines = [head, ["---"] * len(head), *([recipe, *headline_values(rows, recipe)] for recipe in recipes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(row: dict[str, Any]) -> EvaluationRow:
    values = {**row, "recipe": row["shard"], "measure": Measure(row["measure"])}
    values.pop("shard")
    return EvaluationRow(**values)


def _fits(row: AblationRow, wanted: tuple[str, str, str, str]) -> bool:
    measure, stage, decoding, attack = wanted
    if (row.measure, row.stage, row.attack) != (measure, stage, attack):
        return False
    return decoding == "*" or (row.decoding == "safe_beam") == (decoding == "safe_beam")


def _shown(row: AblationRow | None) -> str:
    if row is None or row.value is None:
        return "–"
    if row.low is None or row.high is None:
        return f"{row.value:,.0f}"
    return f"{row.value:.0%} ({row.low:.0%}–{row.high:.0%})"
