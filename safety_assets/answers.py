"""The lake as the store of a language model's finished answers; see ``generation.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from resources.lake import Lake, Provenance
from resources.language_model import Completion, FinishReason
from safety_assets.generation import Ask

__all__ = ["LakeAnswers"]


class LakeAnswers:
    """Answers of one partition, in the tables ``generations`` and ``choice_scores``."""

    def __init__(self, lake: Lake, provenance: Provenance) -> None:
        self._lake = lake
        self._provenance = provenance

    def completions(self, keys: Sequence[str]) -> Mapping[str, Completion]:
        rows = self._lake.rows("completions_by_key", self._parameters(keys))
        return {
            row["request_key"]: Completion(
                request_id=row["request_key"],
                text=row["text"],
                finish_reason=FinishReason(row["finish_reason"]),
                prompt_tokens=row["prompt_tokens"],
                completion_tokens=row["completion_tokens"],
            )
            for row in rows
        }

    def commit_completions(
        self, answered: Sequence[tuple[Ask, Completion]], model: str, revision: str
    ) -> None:
        columns = self._columns([ask for ask, _ in answered], model, revision)
        completions = [completion for _, completion in answered]
        columns["request_key"] = [completion.request_id for completion in completions]
        columns["text"] = [completion.text for completion in completions]
        columns["finish_reason"] = [completion.finish_reason.value for completion in completions]
        columns["prompt_tokens"] = [completion.prompt_tokens for completion in completions]
        columns["completion_tokens"] = [completion.completion_tokens for completion in completions]
        self._append("generations", columns)

    def choice_scores(self, keys: Sequence[str]) -> Mapping[str, Sequence[float]]:
        rows = self._lake.rows("choice_scores_by_key", self._parameters(keys))
        return {row["request_key"]: row["log_probabilities"] for row in rows}

    def commit_choice_scores(
        self, answered: Sequence[tuple[Ask, str, Sequence[float]]], model: str, revision: str
    ) -> None:
        columns = self._columns([ask for ask, _, _ in answered], model, revision)
        columns["request_key"] = [key for _, key, _ in answered]
        columns["log_probabilities"] = [list(scores) for _, _, scores in answered]
        self._append("choice_scores", columns)

    def _parameters(self, keys: Sequence[str]) -> dict:
        return {"partition": self._provenance.partition, "keys": list(keys)}

    def _columns(self, asks: Sequence[Ask], model: str, revision: str) -> dict[str, list]:
        return {
            "shard": [self._provenance.partition] * len(asks),
            "document_id": [ask.document_id for ask in asks],
            "template": [ask.template for ask in asks],
            "model": [model] * len(asks),
            "model_revision": [revision] * len(asks),
        }

    def _append(self, table: str, columns: dict[str, list]) -> None:
        schema = self._lake.schema(table)
        batch = pa.RecordBatch.from_pydict({name: columns[name] for name in schema.names}, schema=schema)
        self._lake.append(table, batch, self._provenance)
