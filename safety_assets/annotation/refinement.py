"""Bootstrapped refinement: labels are added where the scorers disagree, so that the next classifier learns from them.

Label, train, score, and label again what the scores leave in dispute. Annotations that are there stay; an oracle, a
language model or a file, labels further documents of the lake. Scores come from a later stage of the graph: they are
those of the round before, and only say which documents are worth a label, never what the label is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from resources.errors import LakeError
from resources.lake import UNPARTITIONED, Lake, PartitionVersion, Provenance
from resources.language_model import LanguageModel
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.rubric import RUBRIC
from safety_assets.annotation.seeds import file_rows, seed_rows, split_of
from safety_assets.batches import record_batches
from safety_assets.generation import AnswerStore, Usage
from safety_assets.harms import HarmCategory, ScoreState

__all__ = [
    "Disputed",
    "FileOracle",
    "ModelOracle",
    "OracleLabel",
    "Refinement",
    "RelabelOracle",
    "disputed_documents",
    "refine_annotations",
]

TABLE = "safety_annotations"
# One document of so many is drawn at random: a classifier that sees hard cases alone forgets the plain ones.
ONE_AT_RANDOM_OF = 5


@dataclass(frozen=True)
class Disputed:
    """A document worth a label, with what the scorers said of it: ``disagreement`` is the distance of their levels.

    Its text is web text: it goes to the oracle and into the lake, and nowhere else.
    """

    document_id: str
    text_hash: str
    text: str
    safety_score: int | None
    category: str
    disagreement: int


@dataclass(frozen=True)
class OracleLabel:
    """``score`` is set only when ``state`` is scored; ``category`` only by an oracle that tells it."""

    state: ScoreState
    score: int | None = None
    category: HarmCategory | None = None


class RelabelOracle(Protocol):
    """Gives documents their labels, in order. ``known`` are the hashes of the only texts it can label, None for any."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def known(self) -> Sequence[str] | None: ...

    def label(self, documents: Sequence[Disputed]) -> list[OracleLabel]: ...


@dataclass(frozen=True)
class ModelOracle:
    """A language model asked with the rubric; finished answers are kept in ``store``.

    Raises:
        LanguageModelError: the model cannot be used at all.
    """

    model: LanguageModel
    store: AnswerStore
    usage: Usage
    max_chars: int
    known: None = None

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def version(self) -> str:
        return f"{self.model.revision} {RUBRIC.version}"

    def label(self, documents: Sequence[Disputed]) -> list[OracleLabel]:
        asked = [(one.document_id, one.text) for one in documents]
        verdicts = ask_verdicts(asked, self.model, self.store, self.usage, self.max_chars)
        return [OracleLabel(verdict.state, verdict.score) for verdict in verdicts]


@dataclass(frozen=True)
class FileOracle:
    """Labels from a file, by the hash of the text. Of a text that stands there more than once, the last label counts."""

    name: str
    version: str
    labels: dict[str, OracleLabel]

    @classmethod
    def of(cls, path: Path) -> FileOracle:
        """Its version is of what the file holds: other labels under the same name are another oracle.

        Raises:
            AnnotationFileError: see :func:`~safety_assets.annotation.seeds.file_rows`.
        """
        labels = {
            row["text_hash"]: OracleLabel(ScoreState.SCORED, row["score"], HarmCategory(row["category"]))
            for row in file_rows(path)
        }
        return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest()[:12], labels)

    @property
    def known(self) -> Sequence[str]:
        return list(self.labels)

    def label(self, documents: Sequence[Disputed]) -> list[OracleLabel]:
        missing = OracleLabel(ScoreState.MISSING)
        return [self.labels.get(one.text_hash, missing) for one in documents]


@dataclass(frozen=True)
class Refinement:
    """The version that was written, and what a round did.

    Attributes:
        kept: annotations that were there before, or the packaged seeds.
        asked: documents that the oracle was given.
        added: those that it labelled; the others have no score and train nothing.
        disagreements: those that the scorers had given different levels.
        changed_share: of labelled documents with a score, the share whose label is another; None without any.
    """

    version: PartitionVersion
    kept: int
    asked: int
    added: int
    disagreements: int
    changed_share: float | None

    @property
    def numbers(self) -> dict[str, int | float]:
        """For the metadata, under names that stay."""
        numbers = {
            "kept": self.kept,
            "asked": self.asked,
            "added": self.added,
            "disagreements": self.disagreements,
        }
        return numbers | ({} if self.changed_share is None else {"changed_share": self.changed_share})


def refine_annotations(
    lake: Lake, oracle: RelabelOracle, shards: Sequence[str], sample_size: int, provenance: Provenance
) -> Refinement:
    """Add labels for at most ``sample_size`` documents to the annotations, in one transaction.

    No text is annotated twice. What an oracle could not label has a row without a score: the same version of it is not
    asked again, and another's row takes its place. A lake without annotations begins with the packaged seeds.

    Args:
        shards: whose scores tell what is in dispute; without any, nothing is added.

    Raises:
        LakeError: the lake cannot be read or written, or another run wrote annotations meanwhile.
        LanguageModelError: the oracle cannot be used. In either case the old annotations stay.
    """
    present = lake.version(TABLE)
    if present is not None and not present.rows:
        present = None
    documents = disputed_documents(lake, _closed(lake, present, oracle), oracle.known, shards, sample_size)
    labels = oracle.label(documents)
    rows = [_row(one, label, oracle) for one, label in zip(documents, labels, strict=True)]
    version = lake.replace_partition(TABLE, _union(lake, present, rows), provenance)
    compared = [
        label.score != one.safety_score
        for one, label in zip(documents, labels, strict=True)
        if label.score is not None and one.safety_score is not None
    ]
    return Refinement(
        version=version,
        kept=version.rows - len(rows),
        asked=len(rows),
        added=sum(label.score is not None for label in labels),
        disagreements=sum(one.disagreement > 0 for one in documents),
        changed_share=sum(compared) / len(compared) if compared else None,
    )


def disputed_documents(
    lake: Lake, closed: Sequence[str], among: Sequence[str] | None, shards: Sequence[str], count: int
) -> list[Disputed]:
    """At most ``count`` documents that are worth a label, those first that the scorers disagree about most.

    A fifth is drawn at random from the rest.

    Args:
        closed: hashes of texts that are not drawn.
        among: hashes of the only texts that are drawn; None for any.
    """
    at_random = count // ONE_AT_RANDOM_OF
    classifier = lake.rows("newest_classifier")
    parameters = {
        # A language model that tells nothing gives every document 0; being apart from that is no disagreement.
        "heard": not classifier or bool(json.loads(classifier[0]["llm_thresholds"])),
        "closed": list(closed),
        "among": None if among is None else list(among),
        "shards": list(shards),
        "hardest": count - at_random,
        "at_random": at_random,
    }
    return [Disputed(**row) for row in lake.rows("documents_to_relabel", parameters)]


def _closed(lake: Lake, present: PartitionVersion | None, oracle: RelabelOracle) -> list[str]:
    """Hashes of texts that have a label, and of those that this version of the oracle was asked about."""
    if present is None:
        return [row["text_hash"] for row in seed_rows()]
    columns = ("text_hash", "state", "labeller", "labeller_version")
    with lake.read(
        TABLE, partition=UNPARTITIONED, columns=columns, snapshot_id=present.snapshot_id
    ) as reader:
        rows = reader.read_all().to_pylist()
    version = (oracle.name, oracle.version)
    return [
        row["text_hash"]
        for row in rows
        if row["state"] == ScoreState.SCORED or (row["labeller"], row["labeller_version"]) == version
    ]


def _row(one: Disputed, label: OracleLabel, oracle: RelabelOracle) -> dict[str, Any]:
    return {
        "shard": UNPARTITIONED,
        "annotation_id": one.text_hash,
        "text": one.text,
        "text_hash": one.text_hash,
        "score": label.score,
        "category": _category(one, label).value,
        "split": _split(one.text_hash),
        "state": label.state.value,
        "labeller": oracle.name,
        "labeller_version": oracle.version,
    }


def _split(key: str) -> str:
    """Never the one that tests: texts chosen because they are hard say nothing of the corpus, and audits would believe them."""
    split = split_of(key)
    return "train" if split == "test" else split


def _category(one: Disputed, label: OracleLabel) -> HarmCategory:
    """Of an unsafe document: the oracle's, else the scorer's, else other."""
    if not label.score:
        return HarmCategory.NONE
    told = (label.category, HarmCategory(one.category))
    return next((found for found in told if found not in (None, HarmCategory.NONE)), HarmCategory.OTHER)


def _union(
    lake: Lake, present: PartitionVersion | None, rows: Sequence[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    """What is there, read at the version that the new rows were drawn beside, then the new rows."""
    schema = lake.schema(TABLE)
    if present is None:
        yield from record_batches(seed_rows(), schema)
    else:
        replaced = {"replaced": [row["text_hash"] for row in rows]}
        with lake.report("annotations_now", replaced, versions={TABLE: present}) as reader:
            yield from reader
    yield from record_batches(rows, schema)
    newest = lake.version(TABLE)
    if newest is not None and newest.rows and newest != present:
        raise LakeError(
            "Another run wrote safety_annotations while this one asked its oracle: run the refinement again. "
            "Answers of a language model are kept, and the other run's annotations stay as they are."
        )
