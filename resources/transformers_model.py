"""A language model run in this process with transformers; the embedded profile's choice.

Torch and transformers are imported when the first prompt comes, not before: a run whose answers are all in
the lake never loads the weights. Prompts are encoded by ``chat_tokenizer.py`` and decoded by
``batch_decoder.py``.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from resources.chat_tokenizer import ChatTokenizer
from resources.language_model import Completion, FinishReason, GenerationRequest, Prompt, Sampling
from resources.model_store import LocalModel

if TYPE_CHECKING:
    from resources.batch_decoder import BatchDecoder, Row

__all__ = ["TransformersModel"]

# Cached tokens (shared beginning, prompt, answer) of one batch, as a multiple of ``batch_tokens``; bounds
# memory.
CACHED_PER_BATCH_TOKEN = 4
# Rows of one scoring batch, as a multiple of ``batch_size``; bounds the logits when prompts differ in a word
# or two.
SCORED_PER_ROW = 8

logger = logging.getLogger(__name__)


class TransformersModel:
    """A :class:`~resources.language_model.LanguageModel` over a prepared model folder.

    Completions do not depend on what else is in the batch, save for the rounding of the number format:
    float32 repeats exactly in practice, bfloat16 may choose otherwise between two nearly equal tokens.
    ``json_schema`` is not enforced here; whoever parses the answer must be ready for one that does not fit.

    Args:
        model: the folder, its name and the digest of its weights.
        device: torch device.
        dtype: ``float32``, ``bfloat16``, ``float16`` or ``auto``.
        batch_size: sequences decoded together.
        batch_tokens: padded prompt tokens of one scoring batch, shared beginning not counted.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        device: str = "cpu",
        dtype: str = "bfloat16",
        batch_size: int = 32,
        batch_tokens: int = 8192,
    ) -> None:
        self._local = model
        self._device = device
        self._dtype = dtype
        self._batch_size = batch_size
        self._batch_tokens = batch_tokens
        self._loading = threading.RLock()

    @property
    def name(self) -> str:
        return self._local.name

    @property
    def revision(self) -> str:
        return self._local.revision

    @cached_property
    def context_tokens(self) -> int:
        """``max_position_embeddings`` of the model's configuration."""
        config = json.loads((self._local.folder / "config.json").read_text(encoding="utf-8"))
        return int(config.get("text_config", config)["max_position_embeddings"])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._tokenizer.count(texts)

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Completion]:
        """Completions, longest prompts first; see the protocol.

        A prompt whose tokens and ``max_new_tokens`` exceed the context is ``TOO_LONG``, with an empty text.
        """
        rows = []
        for number, request in enumerate(requests):
            row = self._row(number, request.prompt, request.sampling)
            if len(row.ids) + request.sampling.max_new_tokens > self.context_tokens:
                yield Completion(request.request_id, "", FinishReason.TOO_LONG, len(row.ids), 0)
            else:
                rows.append(row)
        if not rows:
            return
        lengths = {row.number: len(row.ids) for row in rows}
        shared = self._decoder.share(rows)
        for batch in self._batches(rows, shared.length, most_rows=self._batch_size):
            for answer in self._decoder.answers(batch, shared):
                request = requests[answer.number]
                yield Completion(
                    request_id=request.request_id,
                    text=request.prompt.prefix + answer.text,
                    finish_reason=answer.finish_reason,
                    prompt_tokens=lengths[answer.number],
                    completion_tokens=answer.tokens,
                )

    def score_choices(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> np.ndarray:
        """See the protocol. What all prompts share at their beginning, such as a rubric, is computed once."""
        choice_ids = self._tokenizer.choice_ids(choices)
        scores = np.full((len(prompts), len(choices)), np.nan, np.float32)
        one_token = Sampling(max_new_tokens=1)
        rows = [self._row(number, prompt, one_token) for number, prompt in enumerate(prompts)]
        rows = [row for row in rows if len(row.ids) + 1 <= self.context_tokens]
        if not rows:
            return scores
        shared = self._decoder.share(rows)
        for batch in self._batches(
            rows, shared.length, most_rows=SCORED_PER_ROW * self._batch_size, most_tokens=self._batch_tokens
        ):
            logits = self._decoder.next_logits(batch, shared)
            chosen = logits.log_softmax(-1)[:, choice_ids]  # (rows, choices)
            scores[[row.number for row in batch]] = chosen.cpu().numpy()
        return scores

    def close(self) -> None:
        """Let go of the weights; the next prompt loads them again."""
        with self._loading:
            self.__dict__.pop("_decoder", None)
            self.__dict__.pop("_tokenizer", None)

    def _row(self, number: int, prompt: Prompt, sampling: Sampling) -> Row:
        from resources.batch_decoder import Row

        return Row(number, self._tokenizer.encode(prompt), sampling)

    def _batches(
        self, rows: Sequence[Row], shared: int, *, most_rows: int, most_tokens: int | None = None
    ) -> Iterator[list[Row]]:
        """Rows of like length together, longest first; a batch holds at least one.

        Args:
            shared: tokens at the beginning of every row that are already computed.
            most_tokens: padded tokens of a batch that are still to be computed, if they are bounded.
        """
        batch: list[Row] = []
        cached = 0
        for row in sorted(rows, key=lambda row: len(row.ids), reverse=True):
            widest = len((batch or [row])[0].ids)
            cached = max(cached, widest + row.sampling.max_new_tokens)
            count = len(batch) + 1
            if batch and (
                count > most_rows
                or count * cached > CACHED_PER_BATCH_TOKEN * self._batch_tokens
                or (most_tokens is not None and count * (widest - shared) > most_tokens)
            ):
                yield batch
                batch, cached = [], len(row.ids) + row.sampling.max_new_tokens
            batch.append(row)
        yield batch

    @cached_property
    def _tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer(self._local.folder)

    @cached_property
    def _decoder(self) -> BatchDecoder:
        with self._loading:
            from resources.batch_decoder import BatchDecoder

            if "_decoder" in self.__dict__:
                return self.__dict__["_decoder"]
            logger.info("Loading language model %s on %s as %s.", self.name, self._device, self._dtype)
            end = self._tokenizer.end_token_id
            return BatchDecoder(
                self._local.folder,
                device=self._device,
                dtype=self._dtype,
                end_ids=set() if end is None else {end},
                decode=self._tokenizer.decode,
            )
