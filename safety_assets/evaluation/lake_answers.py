"""The lake as the store of a recipe's evaluation answers. Answers are added and never rewritten: any judge may return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from resources.lake import Lake, Provenance
from safety_assets.evaluation.answers import Answer, answer_row
from safety_assets.evaluation.plan import Attack, Stage

__all__ = ["LakeEvaluationAnswers", "read_answers"]


class LakeEvaluationAnswers:
    """Answers of one recipe in ``evaluation_answers``, its partition read once when the store is opened.

    Raises:
        LakeError: the lake cannot be read or written.
    """

    def __init__(self, lake: Lake, provenance: Provenance) -> None:
        self._lake, self._provenance = lake, provenance
        self._known = {answer.request_key: answer for answer in read_answers(lake, provenance.partition)}

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        return {key: self._known[key] for key in keys if key in self._known}

    def commit(self, answers: Sequence[Answer]) -> None:
        schema = self._lake.schema("evaluation_answers")
        rows = [answer_row(self._provenance.partition, answer) for answer in answers]
        self._lake.append(
            "evaluation_answers", pa.RecordBatch.from_pylist(rows, schema=schema), self._provenance
        )
        self._known.update({answer.request_key: answer for answer in answers})


def read_answers(lake: Lake, recipe: str) -> Iterator[Answer]:
    """All answers of a recipe that were ever kept, streamed; older checkpoints' among them.

    Raises:
        LakeError: the lake cannot be read.
    """
    with lake.read("evaluation_answers", partition=recipe) as reader:
        for batch in reader:
            yield from map(_answer, batch.to_pylist())


def _answer(row: Mapping[str, Any]) -> Answer:
    values = {name: row[name] for name in Answer.__dataclass_fields__}
    return Answer(**{**values, "stage": Stage(row["stage"]), "attack": Attack(row["attack"])})
