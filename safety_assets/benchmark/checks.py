"""Gates of the benchmark: every scorer scored the same texts, and most of them."""

from __future__ import annotations

from resources.lake import GateOutcome
from safety_assets.benchmark.compare import Comparison

__all__ = ["CHECKS", "WARNINGS", "benchmark_gates"]

CHECKS = {"conservation": "Every scorer was measured on all texts, and the slices of a kind add up to them."}
WARNINGS = {
    "most_scored": "Every scorer gave most texts a score.",
    "embedding_beats_chance": "The embedding classifier ranks harmful texts above harmless ones better than chance.",
}
LEAST_SCORED = 0.95


def benchmark_gates(comparison: Comparison) -> list[GateOutcome]:
    """Outcomes for a comparison."""
    wrong = 0
    for scorer in comparison.scorers:
        for kind in ("all", "collection", "source", "length"):
            rows = [row for row in comparison.of(kind) if row.scorer == scorer]
            wrong += sum(row.measured.texts for row in rows) != comparison.texts
    shares = {row.scorer: 1 - row.measured.unscored / row.measured.texts for row in comparison.of("all")}
    own = [row for row in comparison.of("all") if row.scorer == "embedding"]
    lowest = min(shares.values())
    return [
        GateOutcome("conservation", wrong == 0, True, {"texts": comparison.texts, "wrong_sums": wrong}),
        GateOutcome("most_scored", lowest >= LEAST_SCORED, False, {"lowest_scored_share": lowest}),
        GateOutcome(
            "embedding_beats_chance",
            not any(row.measured.at_chance for row in own),
            False,
            {"auroc_low": min((row.measured.auroc.low for row in own if row.measured.auroc), default=0.0)},
        ),
    ]
