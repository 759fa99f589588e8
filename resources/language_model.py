"""What the pipeline asks of a language model, whoever serves it.

The records and the protocol live here; ``transformers_model.py`` runs a model in this process and
``openai_model.py`` speaks to an OpenAI-compatible server. Stages depend on this module alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

__all__ = [
    "Completion",
    "FinishReason",
    "GenerationRequest",
    "LanguageModel",
    "Message",
    "Prompt",
    "Sampling",
]


@dataclass(frozen=True)
class Message:
    """One turn of a chat. ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True)
class Prompt:
    """A chat and, optionally, the first words of the assistant's answer.

    ``prefix`` steers a weak model: the answer continues it, and it is part of the completion's text.
    """

    messages: tuple[Message, ...]
    prefix: str = ""


@dataclass(frozen=True)
class Sampling:
    """How to draw. Temperature 0 is greedy. ``seed`` makes a draw repeatable where the backend can."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    # JSON text of a schema that the answer must match, for servers with structured output.
    json_schema: str | None = None


@dataclass(frozen=True)
class GenerationRequest:
    """A prompt to be completed. ``request_id`` comes back on the completion."""

    request_id: str
    prompt: Prompt
    sampling: Sampling


class FinishReason(StrEnum):
    """Why a completion ended."""

    STOP = "stop"
    LENGTH = "length"
    # The prompt does not fit the model's context.
    TOO_LONG = "too_long"
    # Transport retries are used up for this request alone; it is asked again on the next run.
    FAILED = "failed"


@dataclass(frozen=True)
class Completion:
    """The answer to one request. ``text`` starts with the prompt's prefix and carries no control tokens."""

    request_id: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    error: str | None = None


class LanguageModel(Protocol):
    """A chat model that generates and that weighs fixed answers against each other."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """Identifies the weights: a commit, or a digest of the files."""
        ...

    @property
    def context_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens taken literally."""
        ...

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Completion]:
        """Completions in any order, each request answered exactly once, as soon as it is done.

        Raises:
            LanguageModelError: the model or server cannot be used at all (not: one request failed).
        """
        ...

    def score_choices(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> np.ndarray:
        """Log-probability of each one-token choice as the next token after each prompt.

        Returns:
            (prompts, choices) float32, not renormalised over the choices. A row is NaN where the prompt
            does not fit the context or could not be scored.

        Raises:
            ValueError: a choice is more than one token.
            LanguageModelError: the model or server cannot be used at all.
        """
        ...

    def close(self) -> None:
        """Free the model or stop the server that this object started."""
        ...
