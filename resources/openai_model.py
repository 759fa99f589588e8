"""A language model behind an OpenAI-compatible server: vLLM, or any other.

Many requests are under way at once and completions come as they are done. The wire, its failures and retries
are ``openai_transport.py``; what requests and answers look like is ``chat_completions.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from resources.background_loop import BackgroundLoop
from resources.chat_completions import ChatDialect, read_listed_tokens
from resources.errors import LanguageModelError
from resources.language_model import Completion, FinishReason, GenerationRequest, Prompt
from resources.openai_transport import CallFailed, OpenAITransport

__all__ = ["OpenAIModel"]

# Fewer than English has, so that an estimated budget errs on the safe side.
BYTES_PER_TOKEN = 3


@dataclass(frozen=True)
class _Served:
    """What ``/v1/models`` tells of the model."""

    root: str | None = None
    context_tokens: int | None = None


class OpenAIModel:
    """A :class:`~resources.language_model.LanguageModel` over HTTP. Nothing is asked of the server before it
    is used.

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
        """The name of the served weights where it differs from the model's, and the pinned revision; or
        ``unpinned``.
        """
        # vLLM's root is a Hub id or a folder; the last part of a Hub cache's folder is the commit.
        root = PurePosixPath(self._served.root or "").name
        told = [root] if root and root != PurePosixPath(self._model).name else []
        return "@".join(told + [self._pinned] * bool(self._pinned)) or "unpinned"

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
            return self._dialect.read(
                request, await self._chat(self._dialect.completion_body(request))
            ), False
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
        if not isinstance(answer, ChatCompletion) or not answer.choices or answer.choices[0].message is None:
            raise CallFailed("the answer could not be read (not a chat completion)")
        return answer

    async def _count(self, numbered: tuple[int, str]) -> tuple[int, int]:
        """The text's number and its tokens."""
        number, text = numbered
        body = {"model": self._model, "prompt": text, "add_special_tokens": False}
        url = f"{self._transport.root_url}/tokenize"
        try:
            answer = await self._transport.call(
                lambda client: client.post(url, body=body, cast_to=dict[str, Any])
            )
            return number, int(answer["count"])
        except (CallFailed, KeyError, TypeError, ValueError) as failure:
            raise LanguageModelError(
                f"The server at {self._transport.shown_url} could not count tokens ({failure}): see its log."
            ) from None

    @cached_property
    def _tokenizes(self) -> bool:
        _ = self._served
        try:
            self._loop.run(self._count((0, "a")))
        except LanguageModelError:
            return False
        return True

    @cached_property
    def _served(self) -> _Served:
        try:
            listed = self._loop.run(self._transport.call(lambda client: client.models.list(), retries=1))
        except CallFailed as failure:
            if failure.status in (404, 405):  # not every server lists its models
                return _Served()
            raise self._transport.unreachable() from None
        served = {model.id: model for model in listed.data}
        if self._model not in served:
            raise LanguageModelError(
                f"The server at {self._transport.shown_url} serves {', '.join(sorted(served)[:5])}, "
                f"not {self._model}: correct the model's name in the profile."
            )
        extra = served[self._model].model_extra or {}
        return _Served(extra.get("root"), extra.get("max_model_len"))
