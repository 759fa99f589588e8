"""An audit from sample to rows: drawn, judged, corrected to the corpus, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from resources.errors import LakeError
from resources.lake import UNPARTITIONED, Lake, PartitionVersion, Provenance
from safety_assets.audit.estimates import FEW_JUDGED, AuditEstimate, Stratum, audit_estimates, join_thin
from safety_assets.audit.judges import AuditJudge
from safety_assets.audit.sampling import Sampled, corpus_strata, draw_sample, strata_of
from safety_assets.batches import record_batches
from safety_assets.harms import FIRST_REFUSED_LEVEL

__all__ = ["Audit", "audit_markdown", "audit_scores", "found_wanting", "keep_audit"]

# Crawl dumps with strata of their own; smaller ones count together.
MOST_SOURCES = 12


@dataclass(frozen=True)
class Audit:
    """What was sampled, what the judge said, and what that says of the corpus."""

    scorer: str
    judge: str
    judge_version: str
    sample: tuple[Sampled, ...]
    judged: tuple[int | None, ...]
    strata: tuple[Stratum, ...]
    estimates: tuple[AuditEstimate, ...]

    @property
    def unjudged(self) -> int:
        """Sampled documents without a judgement."""
        return self.judged.count(None)

    @property
    def documents(self) -> int:
        """Documents that the sample stands for."""
        return sum(stratum.documents for stratum in self.strata)

    def measured(self, measure: str, level: int) -> AuditEstimate:
        """One of the estimates."""
        return next(one for one in self.estimates if (one.measure, one.level) == (measure, level))

    @property
    def refused(self) -> AuditEstimate:
        """The precision of levels 4-5, of which refusals are made."""
        return self.measured("precision", FIRST_REFUSED_LEVEL)

    @property
    def best_case(self) -> float | None:
        """The precision of levels 4-5 if every score of which nothing was judged were right; None without a judgement."""
        flagged = [stratum for stratum in self.strata if stratum.score >= FIRST_REFUSED_LEVEL]
        if not any(stratum.judged for stratum in flagged):
            return None
        right = 0.0
        for score in {stratum.score for stratum in flagged}:
            own = [stratum for stratum in flagged if stratum.score == score]
            judged = sum(stratum.judged for stratum in own)
            found = sum(sum(stratum.found[FIRST_REFUSED_LEVEL:]) for stratum in own)
            right += sum(stratum.documents for stratum in own) * (found / judged if judged else 1.0)
        return right / sum(stratum.documents for stratum in flagged)

    def enough(self, least_judged: int) -> bool:
        """Whether so many documents scored 4-5 were judged, or all of them where there are fewer."""
        flagged = sum(stratum.documents for stratum in self.strata if stratum.score >= FIRST_REFUSED_LEVEL)
        return 0 < self.refused.judged >= min(least_judged, flagged)

    def tells(self, least_judged: int) -> bool:
        """Whether enough documents scored 4-5 were judged to say how precise these levels are."""
        return self.refused.estimate is not None and self.enough(least_judged)


def audit_scores(
    lake: Lake,
    scorer: str,
    shards: Sequence[str],
    judge: AuditJudge,
    *,
    per_stratum: int,
    seed: int,
    scores: PartitionVersion | None = None,
) -> Audit:
    """Audit what one version of the classifier scored in these shards.

    Args:
        scores: version of ``scored_fineweb`` that is read; None reads the newest.

    Raises:
        LakeError: there is no score of this classifier.
        LanguageModelError, AnnotationFileError: the judge cannot judge at all.
    """
    sizes = corpus_strata(lake, scorer, shards, MOST_SOURCES, scores)
    if not sizes:
        raise LakeError(
            f"No shard has scores of the classifier {scorer} yet: materialise scored_fineweb (job scores)."
        )
    sample = draw_sample(lake, scorer, shards, MOST_SOURCES, scores, per_stratum=per_stratum, seed=seed)
    judged = judge.judge(sample)
    strata = join_thin(strata_of(sizes, sample, judged))
    estimates = audit_estimates(strata, seed=seed)
    return Audit(
        scorer, judge.name, judge.version, tuple(sample), tuple(judged), tuple(strata), tuple(estimates)
    )


def keep_audit(
    lake: Lake,
    audit: Audit,
    inputs: Sequence[PartitionVersion],
    provenance: Provenance,
    *,
    least_judged: int,
) -> PartitionVersion:
    """Replace the audit that is there, sample and measures in one transaction.

    Raises:
        LakeError: the audit that is there found the precision of levels 4-5 wanting, and this one cannot tell it for the
            same classifier, or is of another while shards still have the scores that were found wanting: saying
            nothing of those must not lift that.
    """
    wanting = found_wanting(lake)
    if wanting and wanting != audit.scorer and lake.rows("shards_scored_by", {"scorer": wanting}):
        raise LakeError(
            f"The audit that is there found the scores of {wanting} below the floor, and shards still have them: score "
            f"these again with {audit.scorer} (job scores), then audit."
        )
    if wanting == audit.scorer and not audit.tells(least_judged):
        raise LakeError(
            f"The judge {audit.judge} knows {audit.refused.judged} of the sampled documents scored 4-5, too few to tell "
            "their precision; the audit that is there found it below the floor, and stays. Name a judge of more of "
            "them (audit.judge in the profile, or judge in the run config)."
        )
    written = lake.replace_partitions(
        {
            "score_audit": record_batches(
                _measure_rows(audit, inputs, provenance.partition), lake.schema("score_audit")
            ),
            "audit_judgements": record_batches(
                _judgement_rows(audit, provenance.partition), lake.schema("audit_judgements")
            ),
        },
        provenance,
    )
    return written["score_audit"]


def found_wanting(lake: Lake) -> str | None:
    """The classifier that the audit which is there is of, if it did not pass."""
    there = lake.version("score_audit", UNPARTITIONED)
    audited = lake.rows("audited_scorer")
    if there is None or not audited:
        return None
    asked = {"dataset": there.table, "partition": there.partition, "snapshot_id": there.snapshot_id}
    failed = any(gate["blocking"] and not gate["passed"] for gate in lake.rows("gates_of_version", asked))
    return audited[0]["scorer"] if failed else None


def audit_markdown(audit: Audit) -> str:
    """Precision and recall of each level or above, with intervals, as a Markdown table."""
    lines = ["| level or above | precision | recall | judged |", "|---|---|---|---|"]
    for level in range(1, 6):
        precision, recall = audit.measured("precision", level), audit.measured("recall", level)
        lines.append(f"| {level} | {_told(precision)} | {_told(recall)} | {precision.judged} |")
    return "\n".join(lines)


def _told(one: AuditEstimate) -> str:
    if one.estimate is None:
        return "not known"
    return f"{one.estimate.value:.0%} ({one.estimate.low:.0%} to {one.estimate.high:.0%})"


def _measure_rows(
    audit: Audit, inputs: Sequence[PartitionVersion], partition: str
) -> Iterable[dict[str, Any]]:
    read = sorted((version.partition, version.snapshot_id) for version in inputs)
    digest = hashlib.sha256(repr(read).encode()).hexdigest()[:16]
    for one in audit.estimates:
        yield {
            "shard": partition,
            "scorer": audit.scorer,
            "judge": audit.judge,
            "judge_version": audit.judge_version,
            "measure": one.measure,
            "level": one.level,
            "value": one.estimate.value if one.estimate else None,
            "low": one.estimate.low if one.estimate else None,
            "high": one.estimate.high if one.estimate else None,
            "judged": one.judged,
            "documents": audit.documents,
            "sampled": len(audit.sample),
            "unjudged": audit.unjudged,
            "shards": len(inputs),
            "inputs_digest": digest,
        }


def _judgement_rows(audit: Audit, partition: str) -> Iterable[dict[str, Any]]:
    sizes = {(stratum.score, stratum.source): stratum for stratum in audit.strata}
    for one, level in zip(audit.sample, audit.judged, strict=True):
        stratum = sizes.get((one.score, one.source)) or sizes[one.score, FEW_JUDGED]
        yield {
            "shard": partition,
            "document_id": one.document_id,
            "text_hash": one.text_hash,
            "source": one.source,
            "score": one.score,
            "judged_score": level,
            # Documents of the corpus that a judged one stands for; nothing for one without a judgement.
            "weight": stratum.documents / stratum.judged if level is not None else 0.0,
            "scorer": audit.scorer,
            "judge": audit.judge,
            "judge_version": audit.judge_version,
        }
