"""A language model that answers from a script, for tests of what is done with answers. The real ones are tested apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from resources.language_model import Completion, FinishReason, GenerationRequest, Prompt


@dataclass
class ScriptedModel:
    """Answers each request with ``answer(request)``: a text, or a whole completion."""

    answer: Callable[[GenerationRequest], str | Completion]
    name: str = "scripted"
    revision: str = "1"
    context_tokens: int = 8192
    asked: list[GenerationRequest] = field(default_factory=list)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Completion]:
        for request in reversed(requests):  # any order is allowed
            self.asked.append(request)
            answer = self.answer(request)
            if isinstance(answer, str):
                answer = Completion(
                    request.request_id, request.prompt.prefix + answer, FinishReason.STOP, 10, 5
                )
            yield answer

    def score_choices(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> np.ndarray:
        return np.full((len(prompts), len(choices)), -1.0, np.float32)

    def close(self) -> None:
        return


class MemoryAnswers:
    """Finished answers in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Completion] = {}

    def completions(self, keys: Sequence[str]) -> Mapping[str, Completion]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def commit_completions(self, answered, model: str, revision: str) -> None:
        self.kept.update({completion.request_id: completion for _, completion in answered})

    def choice_scores(self, keys: Sequence[str]) -> Mapping[str, Sequence[float]]:
        return {}

    def commit_choice_scores(self, answered, model: str, revision: str) -> None:
        return


@dataclass
class WordRescorer:
    """Scores a text by the worst word of a small list; None for texts with ``unscorable``."""

    words: Mapping[str, int]

    def sentences(self, texts: Sequence[str]) -> list[int | None]:
        return [self._score(text) for text in texts]

    def documents(self, texts: Sequence[str]) -> list[int | None]:
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> int | None:
        if "unscorable" in text:
            return None
        return max((level for word, level in self.words.items() if word in text.lower()), default=0)
