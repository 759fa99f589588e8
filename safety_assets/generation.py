"""The one path of all language-model work: resumable, keyed, committed in chunks.

A request is known by a hash of everything that shapes its answer. Finished answers are in the lake; a rerun asks
only for what is missing, and a changed prompt asks again for exactly its own documents. What a stage needs of the
lake is the small :class:`AnswerStore` protocol, so that this module knows neither Dagster nor SQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np

from resources.language_model import (
    Completion,
    FinishReason,
    GenerationRequest,
    LanguageModel,
    Prompt,
    Sampling,
)
from safety_assets.batches import groups

__all__ = ["AnswerStore", "Ask", "Usage", "generate", "request_key", "score_choices"]


@dataclass(frozen=True)
class Ask:
    """One question about one document. ``template`` is the version of the prompt that was rendered."""

    document_id: str
    template: str
    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)


@dataclass
class Usage:
    """What a run asked and what it found already answered."""

    asked: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            *(
                mine + theirs
                for mine, theirs in zip(asdict(self).values(), asdict(other).values(), strict=True)
            )
        )


class AnswerStore(Protocol):
    """Finished answers, by request key. Commits are durable when they return."""

    def completions(self, keys: Sequence[str]) -> Mapping[str, Completion]: ...

    def commit_completions(
        self, answered: Sequence[tuple[Ask, Completion]], model: str, revision: str
    ) -> None: ...

    def choice_scores(self, keys: Sequence[str]) -> Mapping[str, Sequence[float]]: ...

    def commit_choice_scores(
        self, answered: Sequence[tuple[Ask, str, Sequence[float]]], model: str, revision: str
    ) -> None: ...


def request_key(model: LanguageModel, ask: Ask, choices: Sequence[str] = ()) -> str:
    """SHA-256 over model, revision, template version, rendered prompt, sampling and choices."""
    parts = [
        model.name,
        model.revision,
        ask.template,
        [[message.role, message.content] for message in ask.prompt.messages],
        ask.prompt.prefix,
        asdict(ask.sampling),
        list(choices),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def generate(
    asks: Iterable[Ask],
    model: LanguageModel,
    store: AnswerStore,
    usage: Usage,
    *,
    chunk: int = 32,
    progress: Callable[[Usage], None] | None = None,
) -> Iterator[tuple[Ask, Completion]]:
    """Answers to ``asks``, in their order chunk by chunk; each chunk is committed before it is yielded.

    A completion that failed in transport is yielded but not committed: the next run asks for it again.

    Args:
        asks: consumed lazily, ``chunk`` at a time.
        usage: counted up in place.

    Raises:
        LanguageModelError: the model cannot be used at all; what was committed stays.
    """
    for group in groups(asks, chunk):
        keys = [request_key(model, ask) for ask in group]
        known = dict(store.completions(keys))
        missing = {key: ask for key, ask in zip(keys, group, strict=True) if key not in known}
        requests = [GenerationRequest(key, ask.prompt, ask.sampling) for key, ask in missing.items()]
        answered = (
            {completion.request_id: completion for completion in model.generate(requests)} if requests else {}
        )
        finished = [
            (missing[key], completion)
            for key, completion in answered.items()
            if completion.finish_reason is not FinishReason.FAILED
        ]
        if finished:
            store.commit_completions(finished, model.name, model.revision)
        _count(usage, len(group) - len(missing), answered.values())
        if progress:
            progress(usage)
        known.update(answered)
        for key, ask in zip(keys, group, strict=True):
            yield ask, known[key]


def score_choices(
    asks: Iterable[Ask],
    choices: Sequence[str],
    model: LanguageModel,
    store: AnswerStore,
    usage: Usage,
    *,
    chunk: int = 256,
    progress: Callable[[Usage], None] | None = None,
) -> Iterator[tuple[Ask, np.ndarray]]:
    """Log-probabilities of the choices after each prompt; kept and reused like completions.

    Yields:
        (ask, (len(choices),) float32), NaN where the prompt could not be scored. NaN rows are not kept.
    """
    for group in groups(asks, chunk):
        keys = [request_key(model, ask, choices) for ask in group]
        known = {key: np.asarray(row, np.float32) for key, row in store.choice_scores(keys).items()}
        missing = {key: ask for key, ask in zip(keys, group, strict=True) if key not in known}
        if missing:
            scores = model.score_choices([ask.prompt for ask in missing.values()], choices)
            answered = dict(zip(missing, scores, strict=True))
            finished = [
                (missing[key], key, row.tolist()) for key, row in answered.items() if np.isfinite(row).all()
            ]
            if finished:
                store.commit_choice_scores(finished, model.name, model.revision)
            usage.failed += len(missing) - len(finished)
            known.update(answered)
        usage.asked += len(missing)
        usage.reused += len(group) - len(missing)
        if progress:
            progress(usage)
        for key, ask in zip(keys, group, strict=True):
            yield ask, known[key]


def _count(usage: Usage, reused: int, answered: Iterable[Completion]) -> None:
    usage.reused += reused
    for completion in answered:
        usage.asked += 1
        usage.prompt_tokens += completion.prompt_tokens
        usage.completion_tokens += completion.completion_tokens
        usage.failed += completion.finish_reason is FinishReason.FAILED
