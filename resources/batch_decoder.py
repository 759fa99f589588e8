"""A causal language model over batches of token ids: the next token's logits, or whole answers.

Rows are padded on the left, behind what all rows share; the shared beginning is computed once and its keys
and values are copied to every row. Importing this module imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import linear
from transformers import AutoModelForCausalLM

from resources.errors import LanguageModelError
from resources.kv_cache import GROUPED_ATTENTION, ReservedCache
from resources.language_model import FinishReason, Sampling
from resources.token_sampling import TokenSampler

__all__ = ["Answer", "BatchDecoder", "Row", "Shared"]


@dataclass(frozen=True)
class Row:
    """One sequence to go on with. ``number`` comes back on its answer; ``ids`` are all its tokens so far."""

    number: int
    ids: list[int]
    sampling: Sampling


@dataclass(frozen=True)
class Shared:
    """The first ``length`` tokens of every row, computed once; ``cache`` is None where they share nothing."""

    length: int = 0
    cache: ReservedCache | None = None


@dataclass(frozen=True)
class Answer:
    """``text`` is what was generated; ``tokens`` counts it with the end token."""

    number: int
    text: str
    finish_reason: FinishReason
    tokens: int


class BatchDecoder:
    """The weights on their device.

    Args:
        folder: a model in Hugging Face format.
        dtype: name of a torch dtype, or ``auto`` for that of the files.
        end_ids: tokens that end an answer, beside those of the model's own generation settings.
        decode: text of token ids, control tokens left out.

    Raises:
        LanguageModelError: the folder does not load as a causal language model on this device.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        dtype: str,
        end_ids: set[int],
        decode: Callable[[Sequence[int]], str],
    ) -> None:
        wanted = dtype if dtype == "auto" else getattr(torch, dtype)
        try:
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=wanted, attn_implementation=GROUPED_ATTENTION
            )
            self._model = model.to(device).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise LanguageModelError(
                f"The model {folder.name} does not load on {device} as {dtype} ({type(error).__name__}): "
                "give a causal language model in Hugging Face format and a device that this machine has."
            ) from error
        own = self._model.generation_config.eos_token_id
        self._end_ids = end_ids | set([own] if isinstance(own, int) else own or [])
        self._decode = decode

    @torch.inference_mode()
    def share(self, rows: Sequence[Row]) -> Shared:
        """Compute the longest beginning that all rows have in common; each row keeps a token of its own."""
        if len(rows) < 2:
            return Shared()
        first, last = min(row.ids for row in rows), max(row.ids for row in rows)
        length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        length = min(length, min(len(row.ids) for row in rows) - 1)
        if length == 0:
            return Shared()
        cache = ReservedCache(self._model.config, length)
        ids = torch.tensor([first[:length]], device=self._model.device)
        self._model.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
        return Shared(length, cache)

    @torch.inference_mode()
    def next_logits(self, rows: Sequence[Row], shared: Shared) -> torch.Tensor:
        """Logits of the token after each row, (rows, vocabulary) float32.

        The head is computed in float32 whatever the model's dtype: bfloat16 logits come in steps of an
        eighth, too coarse to weigh answers against each other.
        """
        head = self._model.get_output_embeddings()
        handle = head.register_forward_hook(
            lambda module, args, _: linear(
                args[0].float(), module.weight.float(), None if module.bias is None else module.bias.float()
            )
        )
        try:
            return self._prefill(rows, shared, reserve=0)[0].float()
        finally:
            handle.remove()

    @torch.inference_mode()
    def answers(self, rows: Sequence[Row], shared: Shared) -> Iterator[Answer]:
        """Continue every row to its end, its limit or a stop string; each answer as soon as it is there.

        Finished rows leave the batch at once, so a short answer costs no more than itself.
        """
        logits, mask, cache = self._prefill(
            rows, shared, reserve=max(row.sampling.max_new_tokens for row in rows)
        )
        sampler = TokenSampler(
            [row.sampling for row in rows], [row.ids for row in rows], logits.shape[-1], self._model.device
        )
        alive: list[tuple[Row, list[int]]] = [(row, []) for row in rows]
        while True:
            tokens = sampler.draw(logits)
            done = []
            for (row, generated), token in zip(alive, tokens, strict=True):
                generated.append(token)
                answer = self._finished(row, generated)
                done.append(answer is not None)
                if answer:
                    yield answer
            keep = _closed_up(done)
            if not keep:
                return
            if len(keep) < len(alive):
                alive, tokens = [alive[place] for place in keep], [tokens[place] for place in keep]
                sampler.keep(keep)
                cache.keep(keep)
                mask = mask[keep]
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
            logits = self._forward(torch.tensor(tokens, device=mask.device)[:, None], mask, cache)

    def _prefill(
        self, rows: Sequence[Row], shared: Shared, reserve: int
    ) -> tuple[torch.Tensor, torch.Tensor, ReservedCache]:
        """Logits after each row, the mask of its real tokens (rows, columns), and the cache."""
        own = [row.ids[shared.length :] for row in rows]
        width = max(len(ids) for ids in own)
        device = self._model.device
        ids = torch.tensor([[0] * (width - len(each)) + each for each in own], device=device)
        mask = torch.tensor(
            [[1] * shared.length + [0] * (width - len(each)) + [1] * len(each) for each in own], device=device
        )
        cache = ReservedCache(self._model.config, shared.length + width + reserve)
        if shared.cache is not None:
            cache.fill(shared.cache, len(rows))
        return self._forward(ids, mask, cache), mask, cache

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, cache: ReservedCache) -> torch.Tensor:
        """Logits at the last column alone: (rows, new columns) ids → (rows, vocabulary)."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]

    def _finished(self, row: Row, generated: list[int]) -> Answer | None:
        ended, stops = generated[-1] in self._end_ids, row.sampling.stop
        if stops and not ended:
            # A stop string that has just come to its end lies within as many tokens as it has bytes.
            tail = self._decode(generated[-max(len(stop.encode()) for stop in stops) - 1 :])
            ended = any(stop in tail for stop in stops)
        if not ended and len(generated) < row.sampling.max_new_tokens:
            return None
        text = self._decode([token for token in generated if token not in self._end_ids])
        for stop in stops:
            text = text.split(stop, 1)[0]
        reason = FinishReason.STOP if ended else FinishReason.LENGTH
        return Answer(row.number, text, reason, len(generated))


def _closed_up(done: Sequence[bool]) -> list[int]:
    """Places of the rows that go on, with the gaps filled from the end so that few rows move."""
    alive = [place for place, over in enumerate(done) if not over]
    head = [place for place in alive if place < len(alive)]
    tail = [place for place in alive if place >= len(alive)]
    kept = set(head)
    return [place if place in kept else tail.pop() for place in range(len(alive))]
