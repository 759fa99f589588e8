"""A language model behind a vLLM server that is started for it; its process is ``vllm_server.py``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from resources.chat_tokenizer import ChatTokenizer
from resources.language_model import Completion, GenerationRequest, Prompt
from resources.model_store import LocalModel
from resources.openai_model import OpenAIModel
from resources.vllm_server import VllmServer

__all__ = ["VllmModel"]


class VllmModel:
    """A :class:`~resources.language_model.LanguageModel` whose server starts with the first prompt.

    Name, revision and token counts come from the model's folder, as in this process; a run whose answers are
    all in the lake starts no server. The context is the server's, which may be shorter than the model's.

    Args:
        model: the folder to serve.
        start: starts the server and returns it with a client of it.
    """

    def __init__(self, model: LocalModel, start: Callable[[], tuple[VllmServer, OpenAIModel]]) -> None:
        self._local = model
        self._start = start
        self._starting = threading.Lock()
        self._running: tuple[VllmServer, OpenAIModel] | None = None

    @property
    def name(self) -> str:
        return self._local.name

    @property
    def revision(self) -> str:
        return self._local.revision

    @property
    def context_tokens(self) -> int:
        return self._client.context_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._tokenizer.count(texts)

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Completion]:
        yield from self._client.generate(requests) if requests else ()

    def score_choices(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> np.ndarray:
        """See :meth:`OpenAIModel.score_choices`."""
        self._tokenizer.choice_ids(choices)
        return self._client.score_choices(prompts, choices)

    def close(self) -> None:
        """Stop the server; the next prompt starts it again."""
        with self._starting:
            if self._running:
                server, client = self._running
                self._running = None
                client.close()
                server.stop()

    @property
    def _client(self) -> OpenAIModel:
        with self._starting:
            if self._running is None:
                self._running = self._start()
            return self._running[1]

    @cached_property
    def _tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer(self._local.folder)
