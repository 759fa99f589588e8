"""Gates of an audit: whether what is called level 4-5 is so often enough to make refusals of it."""

from __future__ import annotations

from resources.lake import GateOutcome
from safety_assets.audit.run_audit import Audit

__all__ = ["CHECKS", "WARNINGS", "audit_gates"]

CHECKS = {
    "precision_floor": "Of documents scored 4-5, enough really are of these levels to make refusals of them.",
}
WARNINGS = {
    "enough_judged": "Enough documents scored 4-5 were judged to tell their precision, and most of the sample was.",
}
# A sample of which more than this has no judgement says little.
MOST_UNJUDGED = 0.5


def audit_gates(audit: Audit, *, floor: float, least_judged: int) -> list[GateOutcome]:
    """Outcomes for an audit. Too few judgements block nothing, but are told; enough of them below the floor block, also
    where nothing was judged of one of the scores but even all of those being right would not lift the rest to it."""
    refused = audit.refused
    enough = audit.enough(least_judged)
    precision = refused.estimate.value if refused.estimate else audit.best_case
    facts: dict[str, int | float] = {"judged": refused.judged, "floor": floor}
    if refused.estimate is not None:
        facts |= {
            "precision": refused.estimate.value,
            "low": refused.estimate.low,
            "high": refused.estimate.high,
        }
    passed = not enough or precision is None or precision >= floor
    unjudged = audit.unjudged / max(len(audit.sample), 1)
    told = audit.tells(least_judged) and unjudged <= MOST_UNJUDGED
    return [
        GateOutcome("precision_floor", passed, True, facts),
        GateOutcome(
            "enough_judged",
            told,
            False,
            {"judged_4_5": refused.judged, "least": least_judged, "unjudged_rate": unjudged},
        ),
    ]
