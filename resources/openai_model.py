"""A language model behind an OpenAI-compatible server: vLLM, or any other.

Many requests are under way at once and completions come as they are done. The wire, its failures and retries
are ``openai_transport.py``; what requests and answers look like is ``chat_completions.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from resources.background_loop import BackgroundLoop
from resources.chat_completions import ChatDialect, read_listed_tokens
from resources.errors import LanguageModelError
from resources.language_model import Completion, FinishReason, GenerationRequest, Prompt
from resources.openai_transport import CallFailed, OpenAITransport
from resources.served_model import ServedModel, count_tokens, look_up

__all__ = ["OpenAIModel"]

# Fewer than English has, so that an estimated budget errs on the safe side.
BYTES_PER_TOKEN = 3


class OpenAIModel:
    """A :class:`~resources.language_model.LanguageModel` over HTTP; connects with the first prompt.

    A prompt that does not fit is TOO_LONG with an empty text; any other failure of one request is FAILED.
    Only a server that rejects or does not answer every request raises.

    Args:
        model: name under which the server serves it.
        transport: where the server is.
        revision: pinned by the profile; joined to what the server tells of its weights.
        concurrency: requests under way at once.
        supports_prefix: the server continues a begun answer (vLLM); see :class:`ChatDialect`.
        context_tokens: for a server that does not tell.
    """

    def __init__(
        self,
        model: str,
        transport: OpenAITransport,
        *,
        revision: str | None = None,
        concurrency: int = 32,
        supports_prefix: bool = True,
        context_tokens: int = 8192,
    ) -> None:
        self._model = model
        self._transport = transport
        self._pinned = revision
        self._concurrency = concurrency
        self._dialect = ChatDialect(model, supports_prefix)
        self._default_context = context_tokens
        self._loop = BackgroundLoop(f"requests to {model}")

    @property
    def name(self) -> str:
        return self._model

    @property
    def revision(self) -> str:
        """Name of the served weights, if it is another than the model's, and the pin; or ``unpinned``."""
        return "@".join(part for part in (self._served.weights, self._pinned) if part) or "unpinned"

    @property
    def context_tokens(self) -> int:
        return self._served.context_tokens or self._default_context

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens by the server's ``/tokenize`` (vLLM); elsewhere a third of the UTF-8 bytes, rather many.

        vLLM reads a special token in the text as such, so a text that spells one counts less than its literal
        tokens.
        """
        if not self._tokenizes:
            return [math.ceil(len(text.encode()) / BYTES_PER_TOKEN) for text in texts]
        counts = [0] * len(texts)
        for number, count in self._loop.stream(
            self._count, list(enumerate(texts)), concurrency=self._concurrency
        ):
            counts[number] = count
        return counts

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Completion]:
        """Completions as they are done; see the protocol, :class:`ChatDialect` and the class."""
        if not requests:
            return
        _ = self._served  # a server that is down is found before the first request
        lost = 0
        for completion, unreachable in self._loop.stream(
            self._complete, requests, concurrency=self._concurrency
        ):
            lost += unreachable
            yield completion
        if lost == len(requests):
            raise self._transport.unreachable()

    def score_choices(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> np.ndarray:
        """See the protocol. The server lists only the 20 likeliest tokens.

        A choice that is not listed gets the smallest listed log-probability minus 1: the true value is below
        the smallest listed one, so this is a cautious guess and, in most cases, an upper bound. Where no
        choice is listed the row is NaN. Whether a choice is one token is checked on servers with
        ``/tokenize`` alone.
        """
        if self._tokenizes:
            wrong = [
                text for text, count in zip(choices, self.count_tokens(choices), strict=True) if count != 1
            ]
            if wrong:
                raise ValueError(
                    f"Choices must be one token each; these are not: {wrong}. Use digits or letters."
                )
        scores = np.full((len(prompts), len(choices)), np.nan, np.float32)
        lost = 0
        numbered = list(enumerate(prompts))
        for number, listed, unreachable in self._loop.stream(
            self._weigh, numbered, concurrency=self._concurrency
        ):
            lost += unreachable
            if any(choice in listed for choice in choices):
                bound = min(listed.values()) - 1.0
                scores[number] = [listed.get(choice, bound) for choice in choices]
        if prompts and lost == len(prompts):
            raise self._transport.unreachable()
        return scores

    def close(self) -> None:
        """Close the connections; requests under way are dropped."""
        if not self._loop.closed:
            self._loop.run(self._transport.close())
            self._loop.close()

    async def _complete(self, request: GenerationRequest) -> tuple[Completion, bool]:
        """The completion, and whether the server could not be reached for it."""
        try:
            answer = await self._chat(self._dialect.completion_body(request))
            return self._dialect.read(request, answer), False
        except CallFailed as failure:
            reason = FinishReason.TOO_LONG if failure.too_long else FinishReason.FAILED
            return Completion(request.request_id, "", reason, 0, 0, str(failure)), failure.unreachable

    async def _weigh(self, numbered: tuple[int, Prompt]) -> tuple[int, dict[str, float], bool]:
        """The prompt's number, its likeliest next tokens, and whether the server was unreachable."""
        number, prompt = numbered
        try:
            listed = read_listed_tokens(await self._chat(self._dialect.next_token_body(prompt)))
        except CallFailed as failure:
            return number, {}, failure.unreachable
        if listed is None:
            raise LanguageModelError(
                f"The server at {self._transport.shown_url} gives no log-probabilities: "
                "set scoring.llm_mode to json in the profile."
            )
        return number, listed, False

    async def _chat(self, body: dict[str, Any]) -> Any:
        from openai.types.chat import ChatCompletion

        try:
            answer = await self._transport.call(lambda client: client.chat.completions.create(**body))
        except CallFailed as failure:
            if failure.status == 404:
                raise LanguageModelError(
                    f"The server at {self._transport.shown_url} has no chat completions of {self._model} "
                    "(HTTP 404): correct base_url and the model's name in the profile."
                ) from None
            raise
        choice = answer.choices[0] if isinstance(answer, ChatCompletion) and answer.choices else None
        if getattr(choice, "message", None) is None or not hasattr(choice, "finish_reason"):
            raise CallFailed("the answer could not be read (not a chat completion)")
        return answer

    async def _count(self, numbered: tuple[int, str]) -> tuple[int, int]:
        """The text's number and its tokens."""
        number, text = numbered
        return number, await count_tokens(self._transport, self._model, text)

    @cached_property
    def _tokenizes(self) -> bool:
        _ = self._served
        try:
            self._loop.run(self._count((0, "a")))
        except LanguageModelError:
            return False
        return True

    @cached_property
    def _served(self) -> ServedModel:
        return self._loop.run(look_up(self._transport, self._model))
