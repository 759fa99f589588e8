"""The comparison in short: a Markdown table for the terminal and the UI, and the numbers that get history plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safety_assets.benchmark.compare import BenchmarkRow, Comparison
from safety_assets.benchmark.measures import FALSE_ALARM_RATE
from safety_assets.intervals import Estimate

__all__ = [
    "COLUMNS",
    "DECIDED",
    "benchmark_markdown",
    "benchmark_numbers",
    "columns_of",
    "shown",
    "told_slice",
]

# Measure and heading, in the order of the tables. AUROC and F1 are no shares and stand as decimals.
Columns = tuple[tuple[str, str], ...]
COLUMNS: Columns = (
    ("auroc", "AUROC ≥3"),
    ("recall_at_rate", f"recall ≥3 at {FALSE_ALARM_RATE:.0%} false alarms"),
    ("false_alarms_at_rate", f"false alarms at the {FALSE_ALARM_RATE:.0%} threshold"),
    ("macro_f1", "macro F1"),
    ("recall_ge1", "recall ≥1"),
    ("recall_ge3", "recall ≥3"),
    ("precision_ge3", "precision ≥3"),
    ("precision_ge4", "precision ≥4"),
    ("false_alarms_ge3", "false alarms ≥3 on safe"),
    ("false_alarms_sensitive", "false alarms ≥3 on sensitive"),
    ("false_alarms_ge1", "false alarms ≥1 on safe"),
    ("calibration_error", "calibration error"),
)
_DECIMALS = ("auroc", "macro_f1", "calibration_error")
DECIDED = {"own": "own levels", "fitted": "fitted on the other folds"}


def benchmark_markdown(comparison: Comparison, kinds: tuple[str, ...] = ("all", "collection")) -> str:
    """A table for all texts, and one for each collection if there are several."""
    parts = []
    for name, rows in _slices(comparison, kinds):
        columns = columns_of(rows)
        head = ["scorer", "levels", *(heading for _, heading in columns), "unscored", "documents/s", "MiB"]
        lines = [head, ["---"] * len(head), *(_line(row, columns) for row in rows)]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"{told_slice(name, rows[0])}\n\n{table}")
    return "\n\n".join(parts)


def benchmark_numbers(comparison: Comparison) -> dict[str, int | float]:
    """The main values of each scorer on all texts, under stable names."""
    numbers: dict[str, int | float] = {"texts": comparison.texts, "scorers": len(comparison.scorers)}
    for row in [*comparison.of("all"), *comparison.of("all", "fitted")]:
        scorer = row.scorer.replace("-", "_") + ("" if row.decided == "own" else "_fitted")
        for measure, _ in COLUMNS:
            estimate = getattr(row.measured, measure)
            if estimate is not None:
                numbers[f"{measure}_{scorer}"] = estimate.value
        numbers[f"unscored_{scorer}"] = row.measured.unscored
    for row in comparison.of("all"):
        scorer = row.scorer.replace("-", "_")
        numbers[f"documents_per_second_{scorer}"] = row.cost.documents_per_second
        if row.cost.peak_memory_mb is not None:
            numbers[f"peak_memory_mb_{scorer}"] = row.cost.peak_memory_mb
    return numbers


def shown(measure: str, estimate: Estimate | None) -> tuple[str, str]:
    """A value and its interval as words; a dash and nothing where there is none."""
    if estimate is None:
        return "–", ""
    if measure in _DECIMALS:
        value, low, high = (f"{part:.2f}" for part in (estimate.value, estimate.low, estimate.high))
        return value, f"{low} to {high}"
    # False alarms are few: a tenth of a percent counts.
    digits = 1 if measure.startswith("false_alarms") else 0
    value, low, high = (f"{100 * part:.{digits}f}" for part in (estimate.value, estimate.low, estimate.high))
    return f"{value}\u2009%", f"{low} to {high}"


def columns_of(rows: Sequence[BenchmarkRow]) -> Columns:
    """Those of :data:`COLUMNS` that any row has a value for."""
    return tuple(
        column for column in COLUMNS if any(getattr(row.measured, column[0]) is not None for row in rows)
    )


def told_slice(name: str, row: BenchmarkRow) -> str:
    """What a slice holds, in words."""
    counts = row.measured
    what = "All texts" if row.kind == "all" else name
    return (
        f"{what}: {counts.texts:,} texts, {counts.harmful:,} harmful (≥3), {counts.harmless:,} harmless (≤1)"
    )


def _slices(comparison: Comparison, kinds: tuple[str, ...]) -> Iterator[tuple[str, list[BenchmarkRow]]]:
    found: dict[tuple[str, str], list[BenchmarkRow]] = {}
    for row in comparison.rows:
        if row.kind in kinds and (row.kind != "collection" or len(comparison.collections) > 1):
            found.setdefault((row.kind, row.name), []).append(row)
    for (_, name), rows in found.items():
        yield name, rows


def _line(row: BenchmarkRow, columns: Columns) -> list[str]:
    values = []
    for measure, _ in columns:
        value, interval = shown(measure, getattr(row.measured, measure))
        values.append(f"{value} ({interval})" if interval else value)
    memory = row.cost.peak_memory_mb
    cost = [f"{row.cost.documents_per_second:,.1f}", "–" if memory is None else f"{memory:,.0f}"]
    scorer = f"{row.scorer} (at chance)" if row.measured.at_chance else row.scorer
    return [scorer, DECIDED[row.decided], *values, f"{row.measured.unscored:,}", *cost]
