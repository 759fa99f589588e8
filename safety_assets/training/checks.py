"""Gates of checkpoints: they learned something, and serve elsewhere what they compute here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resources.lake import GateOutcome

if TYPE_CHECKING:
    from safety_assets.training.checkpoints import Checkpoint

__all__ = ["CHECKS", "checkpoint_gates"]

CHECKS = {
    "finite": "Every loss of the training is a finite number.",
    "learned": "The loss at the end is below the loss at the beginning.",
    "export": "The exported model gives the logits of the trained one.",
}
# As the export itself demands.
MOST_DIFFERENCE = 1e-3
# Single steps are noisy: ends are means over this share of the curve.
END_SHARE = 0.1


def checkpoint_gates(checkpoint: Checkpoint) -> tuple[list[GateOutcome], dict[str, int | float]]:
    """Outcomes for a checkpoint, and the numbers for its metadata."""
    losses = [point["loss"] for point in checkpoint.loss_curve]
    ends = max(1, round(END_SHARE * len(losses)))
    first, last = sum(losses[:ends]) / ends, sum(losses[-ends:]) / ends
    finite = all(map(math.isfinite, losses))
    shown = {"first_loss": first, "last_loss": last} if finite else {}
    difference = checkpoint.export_difference
    outcomes = [
        GateOutcome("finite", finite, True, {"steps": len(losses)}),
        GateOutcome("learned", finite and last < first, True, shown),
        GateOutcome("export", difference <= MOST_DIFFERENCE, True, {"largest_difference": difference}),
    ]
    numbers: dict[str, int | float] = {
        "parameters": checkpoint.parameters,
        "tokens": checkpoint.tokens,
        "steps": checkpoint.steps,
        "final_loss": last,
        "tokens_per_second": checkpoint.tokens_per_second,
        "export_difference": difference,
    }
    if checkpoint.validation_perplexity is not None:
        numbers["validation_perplexity"] = checkpoint.validation_perplexity
    if checkpoint.utilisation is not None:
        numbers["utilisation"] = checkpoint.utilisation
    return outcomes, numbers
