"""A causal language model in Hugging Face format, one step at a time, with its key-value cache.

Counts what it evaluates. Importing this module imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from resources.kv_cache import ReservedCache
from safety_assets.decoding.beam_cache import BeamCache
from safety_assets.decoding.settings import DecodingError
from safety_assets.prompts import TAG_TOKEN

__all__ = ["CausalModel", "open_causal_model"]


class CausalModel:
    """Next-token log-probabilities.

    Attributes:
        end_ids: tokens that end a text.
        tag_id: the harmfulness tag; None where the model has no such token.
        context: tokens it can attend to.
        vocabulary: ids it chooses from. An embedding may have more rows, as padding; those are no tokens.
        forwards: forward passes so far.
        sequences: sequences evaluated in them.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        end_ids: frozenset[int],
        tag_id: int | None,
        context: int,
        vocabulary: int | None = None,
    ) -> None:
        self._model = model
        self.end_ids, self.tag_id, self.context = end_ids, tag_id, context
        rows = model.get_input_embeddings().weight.shape[0]
        self.vocabulary = min(vocabulary or rows, rows)
        if tag_id is not None and tag_id >= self.vocabulary:
            self.tag_id = None
        self.forwards = self.sequences = 0

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._model.device

    def new_cache(self, capacity: int) -> ReservedCache:
        """An empty key-value cache for at most ``capacity`` tokens of each sequence."""
        return ReservedCache(self._model.config, capacity)

    def begin_beams(
        self, prompt: Sequence[int], *, rows: int, new_tokens: int
    ) -> tuple[BeamCache, torch.Tensor]:
        """Evaluate a prompt once.

        Returns:
            A cache in which each of ``rows`` rows begins with the prompt and has room for ``new_tokens`` more, and
            the log-probabilities (1, vocabulary) of what comes after the prompt.
        """
        first = self.new_cache(len(prompt))
        following = self.step(torch.tensor([list(prompt)], device=self.device), first)
        capacity = len(prompt) + new_tokens
        return BeamCache(self._model.config, first, rows=rows, capacity=capacity), following

    @torch.inference_mode()
    def step(
        self,
        ids: torch.Tensor,
        cache: ReservedCache,
        *,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Feed ids (B, T) to the cached sequences; log-probabilities (B, vocabulary) float32 of what comes next.

        The cache is extended in place.

        Raises:
            DecodingError: the model gives no numbers, as after a training that diverged.
        """
        self.forwards += 1
        self.sequences += len(ids)
        out = self._model(
            input_ids=ids,
            past_key_values=cache,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=True,
            logits_to_keep=1,
        )
        found = torch.log_softmax(out.logits[:, -1, : self.vocabulary].float(), dim=-1)
        if not found.amax(1).isfinite().all():
            raise DecodingError(
                "The model's next-token probabilities are not numbers: look at its training loss, or decode in float32."
            )
        return found


def open_causal_model(
    folder: Path, *, device: str = "cpu", dtype: str = "float32", has_tag: bool = True
) -> CausalModel:
    """Load an exported checkpoint, or any other model folder.

    Args:
        dtype: name of a torch dtype.
        has_tag: False for a model whose tokenizer has the harmfulness tag but that never saw it in training.

    Raises:
        DecodingError: the folder holds no model that can be loaded.
    """
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()
        tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    except Exception as error:  # the libraries raise whatever their files make them
        raise DecodingError(
            f"The model folder {Path(folder).name} cannot be loaded on {device} as {dtype} ({type(error).__name__}): "
            "give a folder in Hugging Face format with tokenizer.json, and a device and dtype that torch knows."
        ) from error
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = model.config.eos_token_id
    end_ids = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    return CausalModel(
        model,
        end_ids=frozenset(end_ids),
        tag_id=tokenizer.token_to_id(TAG_TOKEN) if has_tag else None,
        context=model.config.max_position_embeddings,
        vocabulary=max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1,
    )
