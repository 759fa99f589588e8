"""Reflecting on a shard: segments of every scored document with the classifier's verdict on each (SRP section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resources.lake import Lake, PartitionVersion, Provenance
from safety_assets.batches import record_batches
from safety_assets.harms import LEVELS, SafetyLevel
from safety_assets.marking.reflections import segment_spans, verdict_of
from safety_assets.scoring.scorer import DocumentScorer, PassageLabel

__all__ = ["reflect_shard", "segment_labels"]

# Documents whose segments are labelled together: enough to fill the encoder's batches.
GROUP_DOCUMENTS = 64


def reflect_shard(
    lake: Lake,
    versions: Mapping[str, PartitionVersion],
    scorer: DocumentScorer,
    provenance: Provenance,
    *,
    segment_words: int,
) -> PartitionVersion:
    """Replace the partition's rows of ``reflected_corpus``: one row per segment, in the order of the text.

    A document without a score, or with a segment that cannot be labelled, gets no rows: it is held back.

    Raises:
        LakeError: the lake cannot be read or written; it is left as it was.
    """
    rows = _rows(lake, versions, scorer, provenance.partition, segment_words)
    return lake.replace_partition(
        "reflected_corpus", record_batches(rows, lake.schema("reflected_corpus")), provenance
    )


def segment_labels(
    labels: Sequence[PassageLabel | None], document_level: int, document_category: str
) -> list[PassageLabel] | None:
    """Labels of a document's segments that agree with its score, or None where one could not be labelled.

    No segment is worse than the document; and what made the document unsafe must stand somewhere: where no segment
    alone shows it (the language model saw it, or it crosses a border), the worst segment takes the document's label.
    """
    if not labels or any(label is None for label in labels):
        return None
    capped = [replace(label, level=min(label.level, document_level)) for label in labels if label is not None]
    worst = max(range(len(capped)), key=lambda index: (capped[index].level, capped[index].expected))
    if capped[worst].level < document_level:
        capped[worst] = replace(capped[worst], level=document_level, category=document_category)
    return capped


def _rows(
    lake: Lake,
    versions: Mapping[str, PartitionVersion],
    scorer: DocumentScorer,
    shard: str,
    segment_words: int,
) -> Iterator[dict[str, Any]]:
    parameters = {"partition": shard, "lowest": int(SafetyLevel.SAFE), "highest": LEVELS[-1]}
    with lake.report(
        "documents_between_scores", parameters, versions=versions, batch_rows=GROUP_DOCUMENTS
    ) as reader:
        for batch in reader:
            documents = batch.to_pylist()
            spans = [segment_spans(document["text"], segment_words) for document in documents]
            flat = [
                document["text"][start:end]
                for document, own in zip(documents, spans, strict=True)
                for start, end in own
            ]
            found = iter(scorer.passages(flat))
            for document, own in zip(documents, spans, strict=True):
                labels = [next(found) for _ in own]
                yield from _document_rows(shard, document, own, labels, scorer.embedding_version)


def _document_rows(
    shard: str,
    document: Mapping[str, Any],
    spans: Sequence[tuple[int, int]],
    labels: Sequence[PassageLabel | None],
    version: str,
) -> Iterator[dict[str, Any]]:
    agreed = segment_labels(labels, document["safety_score"], document["category"])
    for (start, end), label in zip(spans, agreed, strict=True) if agreed else ():
        yield {
            "shard": shard,
            "document_id": document["document_id"],
            "text_hash": document["text_hash"],
            "char_start": start,
            "char_end": end,
            "score": label.level,
            "verdict": verdict_of(label.level).value,
            "category": label.category if label.level else "none",
            "labeller": "embedding-classifier",
            "labeller_version": version,
        }
