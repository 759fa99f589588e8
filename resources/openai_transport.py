"""Calls to an OpenAI-compatible server: the connection, what is tried again, and what other failures mean.

Retries are for the wire alone: time-outs, broken connections, 429 and 5xx. What an answer says is judged
elsewhere. Servers may quote a prompt in their error messages, so those messages go no further than this
module.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

from resources.errors import LanguageModelError

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

__all__ = ["CallFailed", "OpenAITransport"]

Result = TypeVar("Result")

LONGEST_PAUSE_S = 60.0
# What vLLM names as the parameter at fault when a prompt and its answer do not fit.
TOO_LONG_PARAMETERS = {"input_tokens", "input_text", "max_tokens", "max_completion_tokens"}


@dataclass(eq=False)
class CallFailed(Exception):
    """One request could not be answered; others may be.

    ``unreachable``: the server gave no answer at all, after every retry. ``too_long``: the prompt does not
    fit. ``status`` is the HTTP status, if there was one.
    """

    reason: str
    unreachable: bool = False
    too_long: bool = False
    status: int | None = None

    def __str__(self) -> str:
        return self.reason


class OpenAITransport:
    """A client of one server, for use within one event loop.

    Args:
        base_url: up to and with ``/v1``.
        api_key_env: environment variable with the key; where it is unset or None no real key is sent.
        timeout_s: of one attempt.
        retries: attempts after the first.
        backoff_s: first pause between attempts; doubles, with jitter. ``Retry-After`` is honoured instead.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key_env: str | None,
        timeout_s: float,
        retries: int,
        backoff_s: float = 0.5,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.root_url = self.base_url.removesuffix("/v1")
        self._api_key_env = api_key_env
        self._timeout_s = timeout_s
        self._retries = retries
        self._backoff_s = backoff_s
        self._client: AsyncOpenAI | None = None

    @property
    def shown_url(self) -> str:
        """The address without a user name or password that may stand in it."""
        parts = urlsplit(self.base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    async def call(
        self, send: Callable[[AsyncOpenAI], Awaitable[Result]], *, retries: int | None = None
    ) -> Result:
        """The result of ``send(client)``.

        Raises:
            CallFailed: retries are used up, or the server rejects this request.
            LanguageModelError: the server rejects every request: a wrong key.
        """
        import openai
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        client = self._connected()

        async def attempt() -> Result:
            return await send(client)

        attempts = AsyncRetrying(
            stop=stop_after_attempt(1 + (self._retries if retries is None else retries)),
            wait=self._pause,
            retry=retry_if_exception(_is_transient),
            reraise=True,
        )
        try:
            return await attempts(attempt)
        except openai.APIConnectionError as error:
            reason = f"no answer from the server ({type(error).__name__})"
            raise CallFailed(reason, unreachable=True) from None
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise LanguageModelError(
                    f"The server at {self.shown_url} refuses the key (HTTP {error.status_code}): "
                    f"set {self._api_key_env or 'api_key_env in the profile'}."
                ) from None
            too_long = error.status_code in (400, 422) and (
                error.code == "context_length_exceeded" or error.param in TOO_LONG_PARAMETERS
            )
            reason = f"HTTP {error.status_code}"
            raise CallFailed(reason, too_long=too_long, status=error.status_code) from None
        except (openai.OpenAIError, ValueError) as error:
            # A body that is not JSON, or not what was asked for.
            raise CallFailed(f"the answer could not be read ({type(error).__name__})") from None

    def unreachable(self) -> LanguageModelError:
        """The error for a server that answers nothing."""
        return LanguageModelError(
            f"The language-model server at {self.shown_url} does not answer: start it, or correct base_url "
            "in the profile, then run again; finished answers are kept."
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient

            local = urlsplit(self.base_url).hostname in ("127.0.0.1", "localhost", "::1")
            self._client = AsyncOpenAI(
                base_url=self.base_url,
                # An empty key would be looked for in OPENAI_API_KEY, which may belong to another server.
                api_key=os.environ.get(self._api_key_env or "") or "none",
                timeout=self._timeout_s,
                max_retries=0,
                # A proxy from the environment cannot reach a server on this machine.
                http_client=DefaultAsyncHttpxClient(trust_env=False) if local else None,
            )
        return self._client

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        error = state.outcome.exception() if state.outcome else None
        response = getattr(error, "response", None)
        try:
            asked = float(response.headers.get("retry-after")) if response is not None else None
        except (TypeError, ValueError):
            asked = None
        doubled = self._backoff_s * 2 ** (state.attempt_number - 1)
        pause = doubled if asked is None else max(asked, 0.0)
        return min(pause, LONGEST_PAUSE_S) + random.uniform(0, self._backoff_s)


def _is_transient(error: BaseException) -> bool:
    import openai

    return isinstance(error, openai.APIConnectionError | openai.RateLimitError | openai.InternalServerError)
