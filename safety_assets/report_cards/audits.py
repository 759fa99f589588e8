"""The audit of scores on a report card: how far levels can be believed, as a judged sample had it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safety_assets.harms import LEVELS
from safety_assets.intervals import Estimate

__all__ = ["AuditedLevel", "ScoreAudit", "audit_of_rows", "not_audited"]


@dataclass(frozen=True)
class AuditedLevel:
    """What an audit found of one level; ``None`` is not known, and so are precision and recall of level 0.

    ``precision`` and ``recall`` are of this level or above, ``exact`` of documents with just this score, of which
    ``judged`` were judged.
    """

    level: int
    precision: Estimate | None
    recall: Estimate | None
    exact: Estimate | None
    judged: int


@dataclass(frozen=True)
class ScoreAudit:
    """The newest audit of the scores that classifier ``scorer`` gave; without one there are no ``levels``.

    ``documents`` and ``shards`` are what the sample stands for, ``sampled`` and ``judged`` its size; ``snapshot`` is
    the audit's version.
    """

    scorer: str
    judge: str
    judge_version: str
    snapshot: int | None
    shards: int
    documents: int
    sampled: int
    judged: int
    levels: tuple[AuditedLevel, ...]


def not_audited(scorer: str) -> ScoreAudit:
    """What a card says where nobody audited the scores of this classifier."""
    return ScoreAudit(scorer, "", "", None, 0, 0, 0, 0, ())


def audit_of_rows(rows: Sequence[Mapping[str, Any]], snapshot: int) -> ScoreAudit:
    """The audit that rows of ``score_audit`` are, one for each measure and level.

    Args:
        rows: at least one; all of one audit.
        snapshot: of the lake at which they were written.
    """
    found = {(row["measure"], row["level"]): row for row in rows}
    levels = tuple(
        AuditedLevel(
            level,
            _estimate(found.get(("precision", level))),
            _estimate(found.get(("recall", level))),
            _estimate(found.get(("exact", level))),
            found["exact", level]["judged"],
        )
        for level in LEVELS
    )
    any_row = rows[0]
    return ScoreAudit(
        scorer=any_row["scorer"],
        judge=any_row["judge"],
        judge_version=any_row["judge_version"],
        snapshot=snapshot,
        shards=any_row["shards"],
        documents=any_row["documents"],
        sampled=any_row["sampled"],
        judged=any_row["sampled"] - any_row["unjudged"],
        levels=levels,
    )


def _estimate(row: Mapping[str, Any] | None) -> Estimate | None:
    if row is None or row["value"] is None:
        return None
    return Estimate(row["value"], row["low"], row["high"])
