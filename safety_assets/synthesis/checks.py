"""Gates of synthetic data sets: every source has one row, and what is accepted is whole and safe."""

from __future__ import annotations

from resources.lake import GateOutcome, Lake, PartitionVersion
from safety_assets.harms import FIRST_REFUSED_LEVEL
from safety_assets.synthesis.records import MAX_SAFE_SCORE

__all__ = ["AUDIT_WARNINGS", "CHECKS", "audit_warning", "scores_audited", "synthesis_gates"]

CHECKS = {
    "conservation": "Every source document has exactly one row: an accepted text, or the reason why there is none.",
    "complete": "Every accepted row has its text and its token count.",
    "safe_after": "No accepted text is unscored, or scores above what synthetic text may score.",
}
AUDIT_WARNINGS = {
    "audited": "The precision of scores 4-5 was measured by an audit of the classifier that gave them.",
}


def scores_audited(lake: Lake, scores: PartitionVersion) -> bool:
    """Whether the newest audit measured the precision of levels 4-5 of the classifier that gave these scores."""
    asked = {"partition": scores.partition, "level": int(FIRST_REFUSED_LEVEL)}
    with lake.report("audit_of_scores", asked, versions={"scored_fineweb": scores}) as reader:
        return reader.read_all().num_rows > 0


def audit_warning(audited: bool) -> GateOutcome:
    """Dialogues made of scores that nobody audited are told of, not refused."""
    return GateOutcome("audited", audited, False, {"audits": int(audited)})


def synthesis_gates(
    lake: Lake, version: PartitionVersion
) -> tuple[list[GateOutcome], dict[str, int | float]]:
    """Outcomes for a version that was just written, and the numbers for its metadata."""
    parameters = {"partition": version.partition}
    facts = lake.rows(f"{version.table}_facts", parameters | {"max_safe": MAX_SAFE_SCORE})[0]
    states = {row["state"]: row["count"] for row in lake.rows(f"{version.table}_states", parameters)}
    whole = facts["rows"] == facts["documents"] == facts["sources"]
    outcomes = [
        GateOutcome(
            "conservation", whole, True, {key: facts[key] for key in ("rows", "documents", "sources")}
        ),
        GateOutcome("complete", facts["incomplete"] == 0, True, {"incomplete_rows": facts["incomplete"]}),
        GateOutcome("safe_after", facts["unsafe"] == 0, True, {"unsafe_rows": facts["unsafe"]}),
    ]
    numbers = {
        "sources": facts["sources"],
        "accepted": facts["accepted"],
        "acceptance_rate": facts["accepted"] / max(facts["sources"], 1),
        "tokens": facts["tokens"],
        **{f"held_back_{state}": count for state, count in states.items() if state != "accepted"},
    }
    return outcomes, numbers
