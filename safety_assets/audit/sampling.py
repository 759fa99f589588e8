"""Drawing the sample that is judged: by score and source, the same documents whenever it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resources.lake import Lake, PartitionVersion
from safety_assets.audit.estimates import Stratum
from safety_assets.harms import LEVELS
from safety_assets.scoring.examples import learned_texts

__all__ = ["Sampled", "corpus_strata", "draw_sample", "strata_of"]


@dataclass(frozen=True)
class Sampled:
    """A document of the sample. Its text is web text: it goes to the judge and nowhere else."""

    document_id: str
    text_hash: str
    text: str
    score: int
    source: str


def corpus_strata(
    lake: Lake,
    scorer: str,
    shards: Sequence[str],
    most_sources: int,
    scores: PartitionVersion | None = None,
) -> dict[tuple[int, str], int]:
    """(score, source) to documents of the corpus that this scorer scored; small sources count together as others.

    Args:
        scorer: version of the classifier.
        shards: that are read.
        most_sources: sources (crawl dumps) with strata of their own.
        scores: version of ``scored_fineweb`` that is read; None reads the newest.
    """
    parameters = {"scorer": scorer, "shards": list(shards), "most_sources": most_sources}
    rows = _rows(lake, "audit_strata", parameters, scores)
    return {(row["score"], row["source"]): row["documents"] for row in rows}


def draw_sample(
    lake: Lake,
    scorer: str,
    shards: Sequence[str],
    most_sources: int,
    scores: PartitionVersion | None = None,
    *,
    per_stratum: int,
    seed: int,
) -> list[Sampled]:
    """At most ``per_stratum`` documents of each stratum, by the hash of their text and the seed."""
    parameters = {
        "scorer": scorer,
        "shards": list(shards),
        "most_sources": most_sources,
        "per_stratum": per_stratum,
        "seed": str(seed),
        "learned": sorted(learned_texts(lake)),
    }
    return [Sampled(**row) for row in _rows(lake, "audit_sample", parameters, scores)]


def _rows(
    lake: Lake, report: str, parameters: Mapping[str, Any], scores: PartitionVersion | None
) -> list[dict[str, Any]]:
    versions = {"scored_fineweb": scores} if scores else None
    with lake.report(report, parameters, versions=versions) as reader:
        return reader.read_all().to_pylist()


def strata_of(
    sizes: Mapping[tuple[int, str], int], sample: Sequence[Sampled], judged: Sequence[int | None]
) -> list[Stratum]:
    """The strata with what the judge found in each; None is a document without a judgement."""
    found = Counter((one.score, one.source, level) for one, level in zip(sample, judged, strict=True))
    return [
        Stratum(
            score,
            source,
            documents,
            tuple(found[score, source, level] for level in LEVELS),
            found[score, source, None],
        )
        for (score, source), documents in sorted(sizes.items())
    ]
