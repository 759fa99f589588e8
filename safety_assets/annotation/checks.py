"""Gates of ``safety_annotations``: enough labels of every level in every split to train and to calibrate on."""

from __future__ import annotations

from resources.lake import GateOutcome, Lake, PartitionVersion

__all__ = ["CHECKS", "annotation_gates"]

CHECKS = {
    "schema": "Scores are 0-5, categories and states are known, ids are unique, and only score 0 has no category.",
    "every_level": "Every level 0-5 has examples to train, to calibrate and to test on.",
}
# Below this many examples of a level in a split, thresholds and metrics mean nothing.
LEAST_EXAMPLES = 3


def annotation_gates(lake: Lake, version: PartitionVersion) -> tuple[list[GateOutcome], dict[str, int]]:
    """Outcomes for the version that was just written, and the numbers for its metadata."""
    facts = lake.rows("annotation_facts")[0]
    outcomes = [
        GateOutcome("schema", facts["faulty"] == 0, True, {"faulty_rows": facts["faulty"]}),
        GateOutcome(
            "every_level",
            facts["cells"] == 18 and facts["fewest"] >= LEAST_EXAMPLES,
            True,
            {"fewest_in_a_level_and_split": facts["fewest"] or 0, "levels_by_splits": facts["cells"]},
        ),
    ]
    numbers = {"annotations": version.rows, "not_scored": facts["not_scored"]}
    return outcomes, numbers | {f"score_{level}": facts[f"score_{level}"] for level in range(6)}
