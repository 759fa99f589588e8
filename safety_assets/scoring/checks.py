"""Gates of scores: one row per document, a score exactly where a state says so, and a classifier that works."""

from __future__ import annotations

from collections.abc import Mapping

from resources.lake import GateOutcome, Lake, PartitionVersion

__all__ = ["CLASSIFIER_CHECKS", "SCORE_CHECKS", "classifier_gates", "score_gates"]

CLASSIFIER_CHECKS = {
    "better_than_chance": "On held-out annotations, most text of level 3 and above is found, and macro F1 beats chance.",
}
SCORE_CHECKS = {
    "conservation": "Every document of the shard has exactly one row, for exactly its text.",
    "fail_closed": "A document has a score if and only if both scorers scored it: the higher of the two, unless they are combined.",
    "segments": "Every scored document has labels for its segments, and none of them is above its embedding score.",
    "score_states": "Most documents could be scored.",
}
# Recall of level 3 and above on the held-out seeds; a broken encoder or head falls far below.
LEAST_RECALL = 0.5
# Six classes: 1/6 is chance.
LEAST_MACRO_F1 = 0.25
# A shard with more failures than this has a broken scorer, not odd documents.
MOST_UNSCORED = 0.5


def classifier_gates(metrics: Mapping) -> list[GateOutcome]:
    """Outcomes for a classifier from its metrics on the test split."""
    facts = {name: float(metrics[name]) for name in ("recall_ge3", "macro_f1")}
    passed = facts["recall_ge3"] >= LEAST_RECALL and facts["macro_f1"] >= LEAST_MACRO_F1
    return [GateOutcome("better_than_chance", passed, True, facts)]


def score_gates(lake: Lake, version: PartitionVersion) -> tuple[list[GateOutcome], dict[str, int | float]]:
    """Outcomes for the version that was just written, and the numbers for its metadata."""
    parameters = {"partition": version.partition}
    facts = lake.rows("score_facts", parameters)[0]
    unscored_rate = facts["unscored"] / max(facts["rows"], 1)
    keys = ("rows", "matched", "documents")
    outcomes = [
        GateOutcome(
            "conservation",
            facts["rows"] == facts["matched"] == facts["documents"] == facts["distinct_ids"],
            True,
            {key: facts[key] for key in keys},
        ),
        GateOutcome("fail_closed", facts["wrong_scores"] == 0, True, {"wrong_rows": facts["wrong_scores"]}),
        GateOutcome(
            "segments", facts["wrong_segments"] == 0, True, {"wrong_documents": facts["wrong_segments"]}
        ),
        GateOutcome("score_states", unscored_rate <= MOST_UNSCORED, True, {"unscored_rate": unscored_rate}),
    ]
    numbers: dict[str, int | float] = {
        "documents": facts["rows"],
        "tokens": facts["tokens"],
        "unscored": facts["unscored"],
        "unscored_rate": unscored_rate,
    }
    for row in lake.rows("score_distribution", parameters):
        if row["score"] is not None:
            numbers[f"score_{row['score']}"] = row["documents"]
            numbers[f"score_{row['score']}_rate"] = row["documents"] / max(facts["rows"], 1)
    for row in lake.rows("score_states", parameters):
        numbers[f"{row['scorer']}_{row['state']}"] = row["count"]
    return outcomes, numbers
