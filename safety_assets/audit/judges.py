"""Who says what a sampled document really is: labels that are there already, a file of them, or a language model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from resources.lake import Lake
from resources.language_model import LanguageModel
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.rubric import RUBRIC
from safety_assets.annotation.seeds import AnnotationFileError
from safety_assets.audit.sampling import Sampled
from safety_assets.corpus.identity import text_hash
from safety_assets.generation import AnswerStore, Usage
from safety_assets.label_lines import LabelLineError, label_level, label_lines
from safety_assets.sample_data.sample import intended_labels

__all__ = ["AuditJudge", "FileJudge", "LabelsJudge", "OracleJudge", "write_sample"]


class AuditJudge(Protocol):
    """Gives each sampled document its level, None where it cannot."""

    name: str
    version: str

    def judge(self, sample: Sequence[Sampled]) -> list[int | None]: ...


@dataclass(frozen=True)
class LabelsJudge:
    """Labels that are there: what the packaged documents were written as, and annotations of the same text."""

    annotated: Mapping[str, int]
    name: str = "labels"
    version: str = "1"

    @classmethod
    def of(cls, lake: Lake) -> LabelsJudge:
        """With the lake's annotations, by the hash of their text."""
        return cls({row["text_hash"]: row["score"] for row in lake.rows("audit_labels")})

    def judge(self, sample: Sequence[Sampled]) -> list[int | None]:
        intended = intended_labels()
        return [
            self.annotated.get(
                one.text_hash, intended[one.document_id].level if one.document_id in intended else None
            )
            for one in sample
        ]


@dataclass(frozen=True)
class FileJudge:
    """A file of labels: JSON Lines with text and score 0-5; a score that is null is not given yet.

    Raises:
        AnnotationFileError: no such file, or a line that is no label; its number is named, its text is not.
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.path.name

    @property
    def version(self) -> str:
        """Of what the file holds: other labels under the same name are another judge."""
        return hashlib.sha256(self._content()).hexdigest()[:12]

    def judge(self, sample: Sequence[Sampled]) -> list[int | None]:
        try:
            read = list(label_lines(self._content().splitlines(), _label))
        except LabelLineError as error:
            raise AnnotationFileError(
                f"Line {error.number} of {self.path.name} is no label: it takes text, and score 0-5 or null."
            ) from None
        # A text may stand there more than once; a line that is not filled in yet takes no label back.
        labels = {key: score for key, score in read if score is not None}
        return [labels.get(one.text_hash) for one in sample]

    def _content(self) -> bytes:
        if not self.path.is_file():
            raise AnnotationFileError(
                f"There is no file of labels {self.path}: give labels, oracle, or a .jsonl file."
            )
        return self.path.read_bytes()


def _label(record: Mapping[str, Any]) -> tuple[str, int | None]:
    """Hash of the text, and its level if it is given."""
    text, score = record["text"], label_level(record["score"])
    if not isinstance(text, str):
        raise TypeError
    return text_hash(text), score


@dataclass(frozen=True)
class OracleJudge:
    """A language model asked with the rubric; what it cannot read or say has no level.

    Raises:
        LanguageModelError: the model cannot be used at all; finished answers stay committed.
    """

    model: LanguageModel
    store: AnswerStore
    usage: Usage
    max_chars: int

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def version(self) -> str:
        return f"{self.model.revision} {RUBRIC.version}"

    def judge(self, sample: Sequence[Sampled]) -> list[int | None]:
        documents = [(one.document_id, one.text) for one in sample]
        verdicts = ask_verdicts(documents, self.model, self.store, self.usage, self.max_chars)
        return [verdict.score for verdict in verdicts]


def write_sample(sample: Sequence[Sampled], folder: Path) -> Path:
    """The sample as JSON Lines for people to label: fill in ``score``, and give the file as the judge.

    With ``category`` filled in too, it serves as annotations; lines left null are not judged. The scorer's own score
    is not in it, so that it sways nobody. A sample has a name of its own, and a file that is there is left as it is:
    somebody may have begun to label it.

    Raises:
        OSError: the file cannot be written.
    """
    ordered = sorted(sample, key=lambda sampled: sampled.text_hash)
    digest = hashlib.sha256("".join(one.text_hash for one in ordered).encode()).hexdigest()
    path = folder / f"sample-{digest[:12]}.jsonl"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    with beside.open("w", encoding="utf-8") as file:
        for one in ordered:
            file.write(json.dumps({"text": one.text, "score": None, "category": None}) + "\n")
    beside.replace(path)
    return path
