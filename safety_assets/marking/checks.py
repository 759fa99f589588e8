"""Gates of marks: tags in unsafe text only and at their rate; reflections that cover whole documents."""

from __future__ import annotations

import math

from resources.lake import GateOutcome, Lake, PartitionVersion

__all__ = ["REFLECTION_CHECKS", "TAG_CHECKS", "reflection_gates", "tag_gates"]

TAG_CHECKS = {
    "conservation": "Every document scored 1 or more has exactly one row, for exactly its text.",
    "never_in_safe_text": "No document scored 0, and none without a score, has a tag.",
    "tag_rate": "Tags are as frequent as the rate says, within five standard deviations.",
}
REFLECTION_CHECKS = {
    "conservation": "The segments of each document cover all of its text, once.",
    "verdicts": "No unscored document has reflections, and the worst segment has the document's level.",
    "held_back": "Most scored documents have their reflections.",
}
# Chance of a false alarm of the rate check: less than one in a million.
RATE_DEVIATIONS = 5
LEAST_REFLECTED = 0.9

Numbers = dict[str, int | float]


def tag_gates(lake: Lake, version: PartitionVersion) -> tuple[list[GateOutcome], Numbers]:
    """Outcomes for the version that was just written, and the numbers for its metadata."""
    facts = lake.rows("tagged_corpus_facts", {"partition": version.partition})[0]
    deviation = math.sqrt(facts["places"] * facts["rate"] * (1 - facts["rate"]))
    distance = abs(facts["tags"] - facts["places"] * facts["rate"])
    counted = {key: facts[key] for key in ("rows", "sources", "matched")}
    numbers: Numbers = {
        "documents": facts["rows"],
        "words": facts["words"],
        "tags": facts["tags"],
        "tag_rate": facts["tags"] / max(facts["places"], 1),
    }
    return [
        GateOutcome("conservation", facts["rows"] == facts["sources"] == facts["matched"], True, counted),
        GateOutcome("never_in_safe_text", facts["safe"] == 0, True, {"safe_documents": facts["safe"]}),
        GateOutcome(
            "tag_rate",
            distance <= RATE_DEVIATIONS * deviation + 1,
            True,
            {"tags": facts["tags"], "expected": facts["places"] * facts["rate"]},
        ),
    ], numbers


def reflection_gates(lake: Lake, version: PartitionVersion) -> tuple[list[GateOutcome], Numbers]:
    """Outcomes for the version that was just written, and the numbers for its metadata."""
    facts = lake.rows("reflected_corpus_facts", {"partition": version.partition})[0]
    share = facts["documents"] / max(facts["sources"], 1)
    numbers: Numbers = {
        "documents": facts["documents"],
        "held_back": facts["sources"] - facts["documents"],
        "segments": facts["rows"],
        "unsafe_segments": facts["unsafe"],
        "controversial_segments": facts["controversial"],
    }
    wrong = {"unscored": facts["unscored"], "other_level": facts["other_level"]}
    return [
        GateOutcome("conservation", facts["gaps"] == 0, True, {"documents_with_gaps": facts["gaps"]}),
        GateOutcome("verdicts", not any(wrong.values()), True, wrong),
        GateOutcome(
            "held_back",
            share >= LEAST_REFLECTED or not facts["sources"],
            True,
            {"documents": facts["documents"], "sources": facts["sources"]},
        ),
    ], numbers
