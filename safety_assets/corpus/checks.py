"""Gates of ``fineweb``: the shard is wholly accounted for, and its columns and keys are what they should be."""

from __future__ import annotations

from resources.lake import GateOutcome, Lake
from safety_assets.corpus.ingest import Ingest

__all__ = ["CHECKS", "fineweb_gates"]

CHECKS = {
    "schema": "Every document has an id, text and a hash of its text; ids are unique within the shard.",
    "conservation": "Every row of the source file is a document or is in quarantine, never both.",
    "readable_rows": "At least one row of the shard is a document.",
}


def fineweb_gates(lake: Lake, ingest: Ingest) -> list[GateOutcome]:
    """Outcomes for the version that was just written."""
    facts = lake.rows("fineweb_facts", {"partition": ingest.version.partition})[0]
    accounted = facts["documents"] + facts["quarantined"]
    return [
        GateOutcome(
            "schema",
            facts["faulty"] == 0 and facts["distinct_ids"] == facts["documents"],
            True,
            {"faulty_rows": facts["faulty"], "distinct_ids": facts["distinct_ids"]},
        ),
        GateOutcome(
            "conservation",
            accounted == ingest.rows_read,
            True,
            {
                "rows_read": ingest.rows_read,
                "documents": facts["documents"],
                "quarantined": facts["quarantined"],
            },
        ),
        GateOutcome("readable_rows", facts["documents"] > 0, True, {"documents": facts["documents"]}),
    ]
