"""Answers of a model under evaluation: asked once, kept, and read again by any judge.

A request is known by a hash of all that shapes its answer: checkpoint, decoding settings, attack, prompt, and the
token ids that were rendered from it. Finished answers are in a store; a rerun asks only for what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from safety_assets.batches import groups
from safety_assets.evaluation.errors import AnswerError
from safety_assets.evaluation.plan import Attack, Cell, Stage
from safety_assets.evaluation.prompt_sets import EvaluationPrompt

__all__ = [
    "Answer",
    "AnswerRequest",
    "AnswerStore",
    "RawAnswer",
    "answer_key",
    "answer_row",
    "generate_answers",
]


@dataclass(frozen=True)
class AnswerRequest:
    """One prompt of a cell, rendered. ``prompt_ids`` end where the model goes on, a prefill included."""

    cell: Cell
    prompt: EvaluationPrompt
    prefill: str
    prompt_ids: tuple[int, ...]


@dataclass(frozen=True)
class RawAnswer:
    """What decoding gave: the text of the new tokens, own marks included, their number, and why it ended."""

    text: str
    tokens: int
    finish: str


@dataclass(frozen=True)
class Answer:
    """A kept answer. ``text`` goes on from ``prefill`` and holds the model's own marks."""

    request_key: str
    checkpoint_digest: str
    stage: Stage
    decoding: str
    decoding_settings: str
    attack: Attack
    set_name: str
    prompt_id: str
    prompt_hash: str
    prefill: str
    text: str
    finish: str
    prompt_tokens: int
    answer_tokens: int


class AnswerStore(Protocol):
    """Kept answers, by request key. Commits are durable when they return."""

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]: ...

    def commit(self, answers: Sequence[Answer]) -> None: ...


# Token ids of prompts in, one answer for each out, in order.
Decode = Callable[[Sequence[Sequence[int]]], Sequence[RawAnswer]]


def answer_key(checkpoint_digest: str, settings: Mapping[str, Any], request: AnswerRequest) -> str:
    """SHA-256 over checkpoint, decoding settings, attack, prefill, prompt text and rendered ids.

    Names (of a decoding, set or prompt) shape nothing and are left out.
    """
    parts = [
        checkpoint_digest,
        dict(settings),
        request.cell.attack.value,
        request.prefill,
        request.prompt.text,
        list(request.prompt_ids),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def generate_answers(
    requests: Iterable[AnswerRequest],
    decode: Decode,
    store: AnswerStore,
    *,
    checkpoint_digest: str,
    settings: Mapping[str, Any],
    chunk: int = 32,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Answer]:
    """Answers in the requests' order; what is missing is asked chunk by chunk, and committed before it is yielded.

    Args:
        requests: of one checkpoint and one decoding; consumed lazily, ``chunk`` at a time.
        settings: of the decoding, as plain JSON values.
        progress: told the number of answers so far.

    Raises:
        AnswerError: decoding gave another number of answers than it was asked for.
    """
    done = 0
    for group in groups(requests, chunk):
        keyed = [(answer_key(checkpoint_digest, settings, request), request) for request in group]
        known = dict(store.answers([key for key, _ in keyed]))
        missing = {key: request for key, request in keyed if key not in known}
        if missing:
            raw = decode([request.prompt_ids for request in missing.values()])
            if len(raw) != len(missing):
                raise AnswerError(
                    f"Decoding gave {len(raw)} answers to {len(missing)} prompts of {group[0].cell}."
                )
            fresh = [
                _answer(key, request, answer, checkpoint_digest, settings)
                for (key, request), answer in zip(missing.items(), raw, strict=True)
            ]
            store.commit(fresh)
            known.update({answer.request_key: answer for answer in fresh})
        done += len(group)
        if progress:
            progress(done)
        for key, request in keyed:
            yield _named(known[key], request)


def answer_row(recipe: str, answer: Answer) -> dict[str, Any]:
    """The answer as a row of ``evaluation_answers``."""
    named = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
    return {"shard": recipe, **named, "stage": answer.stage.value, "attack": answer.attack.value}


def _answer(
    key: str, request: AnswerRequest, raw: RawAnswer, checkpoint_digest: str, settings: Mapping[str, Any]
) -> Answer:
    cell, prompt = request.cell, request.prompt
    return Answer(
        request_key=key,
        checkpoint_digest=checkpoint_digest,
        stage=cell.stage,
        decoding=cell.decoding,
        decoding_settings=json.dumps(dict(settings), sort_keys=True),
        attack=cell.attack,
        set_name=cell.set_name,
        prompt_id=prompt.prompt_id,
        prompt_hash=prompt.text_hash,
        prefill=request.prefill,
        text=raw.text,
        finish=raw.finish,
        prompt_tokens=len(request.prompt_ids),
        answer_tokens=raw.tokens,
    )


def _named(answer: Answer, request: AnswerRequest) -> Answer:
    """A kept answer under the names it is asked by now: the same prompt may stand in two sets."""
    cell = request.cell
    names = (answer.stage, answer.decoding, answer.set_name, answer.prompt_id)
    if names == (cell.stage, cell.decoding, cell.set_name, request.prompt.prompt_id):
        return answer
    values = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
    values.update(
        stage=cell.stage, decoding=cell.decoding, set_name=cell.set_name, prompt_id=request.prompt.prompt_id
    )
    return Answer(**values)
