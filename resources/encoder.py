"""Text encoder: documents in, one normalised embedding per window of a document out.

A document is tokenised once, with special tokens taken literally, and cut into windows that the encoder can read
whole. The ids go straight to the model, so nothing is decoded and tokenised again; pooling and normalising are the
model's own modules. What an embedding means is no business of this module.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.encoder_adapter import EncoderAdapter
from resources.errors import ModelStoreError
from resources.model_code import encoder_folder
from resources.model_store import LocalModel
from resources.profile import EncoderProfile

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

__all__ = ["EncodedTexts", "TextEncoder", "cut_windows", "loading_arguments", "open_encoder"]

# The gte encoders read 8,192 tokens, but a short unsafe passage would drown in such a window. SP cuts at 512.
LONGEST_WINDOW_TOKENS = 512
# A cut moves back by up to this many tokens to fall between words, where the pieces tokenise as the whole did.
WORD_SEARCH_TOKENS = 24
# Characters tokenised at one time, which bounds memory: offsets weigh far more than the text itself.
TOKENISED_CHARS = 2_000_000


@dataclass(frozen=True)
class EncodedTexts:
    """Windows of some texts, in the order of the texts and within a text from its beginning to its end.

    ``document`` (windows,) int64 is the position of the text in what was given; ``char_start`` and ``char_end``
    (windows,) int64 are a window's span in that text, without the white space around it; ``tokens`` (windows,) int64
    counts its tokens without special ones; ``embeddings`` is (windows, dimension) float32 with rows of length 1. Of an
    adapted encoder, the highest value of each projection over the window's tokens follows in the row.
    """

    document: np.ndarray
    char_start: np.ndarray
    char_end: np.ndarray
    tokens: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.document)

    def texts(self, documents: Sequence[str]) -> list[str]:
        """The text of each window, given the texts that were encoded."""
        spans = zip(self.document.tolist(), self.char_start.tolist(), self.char_end.tolist(), strict=True)
        return [documents[document][start:end] for document, start, end in spans]


def open_encoder(profile: EncoderProfile, models_cache: Path) -> TextEncoder:
    """Load the encoder that a profile names. Takes seconds: once per process.

    Raises:
        ModelStoreError: the model is not there, is not a sentence encoder, or has no fast tokenizer.
    """
    local = encoder_folder(profile, models_cache)
    import torch
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(local.folder), **loading_arguments(profile))
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelStoreError(
            f"The encoder {profile.model} could not be loaded ({type(error).__name__}: {error}): give a "
            "sentence-transformers folder, and trust_remote_code if the model needs it."
        ) from error
    return TextEncoder(
        model,
        local,
        batch_tokens=profile.batch_tokens,
        query_prefix=profile.query_prefix,
        mixed=profile.dtype == "auto" and profile.device == "cpu" and torch.cpu._is_amx_tile_supported(),
    )


def loading_arguments(profile: EncoderProfile) -> dict[str, Any]:
    """How sentence-transformers is to load the model of a profile."""
    import torch

    weights = profile.dtype
    if weights == "auto":
        weights = "float32" if profile.device == "cpu" else "bfloat16"
    plain = (
        {"use_memory_efficient_attention": False, "unpad_inputs": False} if profile.plain_attention else {}
    )
    return {
        "device": profile.device,
        "trust_remote_code": profile.trust_remote_code,
        "model_kwargs": {"dtype": getattr(torch, weights)},
        "config_kwargs": plain,
    }


class TextEncoder:
    """A sentence encoder that works on windows of token ids. One per process; safe to share between threads."""

    def __init__(
        self,
        model: SentenceTransformer,
        local: LocalModel,
        *,
        batch_tokens: int,
        query_prefix: str = "",
        mixed: bool = False,
    ) -> None:
        self.name, self.revision = local.name, local.revision
        self._model = model.eval()
        self._tokenizer = _literal_tokenizer(model.tokenizer, local.name)
        self._before, self._after = _special_ids(self._tokenizer)
        if query_prefix:
            self._before += self._tokenizer.encode(query_prefix, add_special_tokens=False).ids
        self._pad = model.tokenizer.pad_token_id or 0
        self._batch_tokens = batch_tokens
        # Matrix products in bfloat16, the rest in float32: three times as fast where the CPU has units for it.
        self._mixed = mixed
        self.dimension: int = self._width(model)
        self._projection: Any = None
        self.window_tokens = min(model.max_seq_length or LONGEST_WINDOW_TOKENS, LONGEST_WINDOW_TOKENS)

    @property
    def network(self) -> Any:
        """The torch module that :meth:`features` runs, to train it."""
        return self._model

    @property
    def text_tokens(self) -> int:
        """Tokens of a document that one window holds: what special tokens and the query prefix leave."""
        return self.window_tokens - len(self._before) - len(self._after)

    def adapted(self, adapter: EncoderAdapter) -> TextEncoder:
        """A copy of this encoder with the changes of an adapter.

        Raises:
            ModelStoreError: the adapter was made for another encoder.
        """
        import torch

        other = copy.copy(self)
        other._model = copy.deepcopy(self._model)
        adapter.fold_into(other._model[0].auto_model)
        device = self._model.device
        other._projection = (
            torch.from_numpy(adapter.projection).to(device),
            torch.from_numpy(adapter.projection_offset).to(device),
        )
        other.dimension = self.dimension + len(adapter.projection)
        return other

    def exact(self) -> TextEncoder:
        """This encoder with every product in the number format of its weights; itself, if it has them so already."""
        if not self._mixed:
            return self
        other = copy.copy(self)
        other._mixed = False
        return other

    def encode(self, texts: Sequence[str], *, max_tokens: int | None = None) -> EncodedTexts:
        """Embed every window of every text.

        Windows of a text come one after another and together hold every character that is not white space. A text
        without a token (empty, or only white space) has no window. Give a few hundred texts at a time: memory grows
        with the largest text and the number of windows, not with the length of the stream.

        Args:
            texts: of any length.
            max_tokens: tokens of a window at most; None takes what the encoder can read.
        """
        ids, spans = self.token_windows(texts, max_tokens=max_tokens)
        lengths = np.array([len(window) for window in ids], np.int64)
        return EncodedTexts(spans[:, 0], spans[:, 1], spans[:, 2], lengths, self.embed_windows(ids))

    def token_windows(
        self, texts: Sequence[str], *, max_tokens: int | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Token ids of every window, without special ones, and (windows, 3) position of its text, start and end in it.

        See :meth:`encode`.
        """
        limit = min(max_tokens or self.text_tokens, self.text_tokens)
        ids: list[np.ndarray] = []
        spans: list[tuple[int, int, int]] = []
        for document, tokens, offsets, text in self._tokenise(texts):
            cuts = cut_windows(offsets, limit)
            for first, last in pairwise(cuts):
                start = 0 if first == 0 else int(offsets[first, 0])
                end = len(text) if last == len(tokens) else int(offsets[last, 0])
                ids.append(tokens[first:last])
                spans.append((document, *_strip(text, start, end)))
        return ids, np.array(spans, np.int64).reshape(-1, 3)

    def _tokenise(self, texts: Sequence[str]) -> Iterator[tuple[int, np.ndarray, np.ndarray, str]]:
        """(position, (tokens,) int32 ids, (tokens, 2) int64 character offsets, text) of each text with a token."""
        first = 0
        while first < len(texts):
            last, chars = first, 0
            while last < len(texts) and (last == first or chars + len(texts[last]) <= TOKENISED_CHARS):
                chars += len(texts[last])
                last += 1
            group = texts[first:last]
            for position, encoding in enumerate(
                self._tokenizer.encode_batch(group, add_special_tokens=False), first
            ):
                if encoding.ids:
                    yield (
                        position,
                        np.array(encoding.ids, np.int32),
                        np.array(encoding.offsets),
                        texts[position],
                    )
            first = last

    def embed_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """(windows, dimension) float32; longest windows first, so that a batch that is too large fails at once."""
        embeddings = np.empty((len(windows), self.dimension), np.float32)
        order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
        batches = []
        while order:
            rows = max(1, self._batch_tokens // self._padded(windows[order[0]]))
            batches.append(order[:rows])
            del order[:rows]

        def run(batch: list[int]) -> None:
            embeddings[batch] = self._forward([windows[index] for index in batch])

        if self._model.device.type != "cpu" or len(batches) < 2:
            for batch in batches:
                run(batch)
        else:
            # One batch per core with one thread each: faster than many threads on one batch, and they never wait
            # for each other when other processes hold a core.
            with ThreadPoolExecutor(len(os.sched_getaffinity(0)), initializer=_one_thread) as pool:
                list(pool.map(run, batches))
        return embeddings

    def _padded(self, window: np.ndarray) -> int:
        return len(self._before) + len(window) + len(self._after)

    def _forward(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """(rows, dimension) float32 of one batch."""
        import torch

        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            return self.features(self.padded(windows)).cpu().numpy()

    def padded(self, windows: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """A batch of windows as the model takes it: (rows, longest) int64 ``input_ids`` and ``attention_mask``."""
        import torch

        width = max(map(self._padded, windows))
        ids = np.full((len(windows), width), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            whole = np.concatenate([self._before, window, self._after])
            ids[row, : len(whole)] = whole
            mask[row, : len(whole)] = 1
        device = self._model.device
        return {
            "input_ids": torch.from_numpy(ids).to(device),
            "attention_mask": torch.from_numpy(mask).to(device),
        }

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(rows, dimension) float32 of a batch from :meth:`padded`; gradients flow where they are wanted."""
        import torch

        found = self._model(dict(batch))
        pooled = torch.nn.functional.normalize(found["sentence_embedding"].float(), dim=-1)
        if self._projection is None:
            return pooled
        weight, offset = self._projection
        projected = found["token_embeddings"].float() @ weight.T + offset
        outside = batch["attention_mask"][..., None] == 0
        return torch.cat([pooled, projected.masked_fill(outside, -torch.inf).amax(1)], dim=-1)

    @staticmethod
    def _width(model: SentenceTransformer) -> int:
        return model.get_embedding_dimension()


def cut_windows(offsets: np.ndarray, limit: int) -> list[int]:
    """Where to cut a text's tokens: positions from 0 to the number of tokens, at most ``limit`` apart.

    The windows are of about the same length, since a short rest would be judged without its context. A cut falls
    between two words if one is near enough.

    Args:
        offsets: (tokens, 2), each token's character span.
        limit: tokens of a window at most.
    """
    total = len(offsets)
    cuts = [0]
    while total - cuts[-1] > limit:
        rest = total - cuts[-1]
        cut = cuts[-1] + -(-rest // -(-rest // limit))
        lowest = max(cuts[-1] + 1, cut - WORD_SEARCH_TOKENS)
        between = [at for at in range(cut, lowest - 1, -1) if offsets[at, 0] > offsets[at - 1, 1]]
        cuts.append(between[0] if between else cut)
    return [*cuts, total] if total else cuts


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    stripped = piece.strip()
    start += len(piece) - len(piece.lstrip())
    return start, start + len(stripped)


def _literal_tokenizer(tokenizer: Any, name: str) -> Any:
    """A copy of the Rust tokenizer that never truncates and takes special tokens in a text for plain words."""
    if not getattr(tokenizer, "is_fast", False):
        raise ModelStoreError(
            f"The encoder {name} has no fast tokenizer (tokenizer.json): give one that has."
        )
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = True
    return copy


def _special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids that the model's template puts before and after a text, e.g. [CLS] and [SEP]."""
    encoding = tokenizer.encode("a", add_special_tokens=True)
    special = np.array(encoding.special_tokens_mask, bool)
    inner = np.flatnonzero(~special)
    return encoding.ids[: inner[0]], encoding.ids[inner[-1] + 1 :]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
