"""Two savings for decoding on few cores: keys and values kept in room reserved at the start, and attention
that does not copy them for every group of query heads.

Transformers appends to its cache by copying all of it at every token, and repeats each key head for its query
heads. Together that is two fifths of a decoding step at 400 tokens of context (SmolLM2, 32 rows). Importing
this module imports torch and transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

__all__ = ["GROUPED_ATTENTION", "ReservedCache"]

# Name under which the attention below is chosen with ``attn_implementation``.
GROUPED_ATTENTION = "grouped_sdpa"


class _ReservedLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, capacity, head size), filled up to column ``used``."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.used = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, cache_kwargs: dict[str, Any] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states)
            rows, heads, _, head_size = key_states.shape
            self._all_keys = key_states.new_empty(rows, heads, self.capacity, head_size)
            self._all_values = value_states.new_empty(rows, heads, self.capacity, value_states.shape[-1])
        end = self.used + key_states.shape[2]
        self._all_keys[:, :, self.used : end] = key_states
        self._all_values[:, :, self.used : end] = value_states
        self.used = end
        self._look()
        return self.keys, self.values

    def keep(self, rows: list[int]) -> None:
        for new, old in enumerate(rows):
            if new != old:
                self._all_keys[new, :, : self.used] = self._all_keys[old, :, : self.used]
                self._all_values[new, :, : self.used] = self._all_values[old, :, : self.used]
        self._all_keys, self._all_values = self._all_keys[: len(rows)], self._all_values[: len(rows)]
        self._look()

    def _look(self) -> None:
        self.keys, self.values = self._all_keys[:, :, : self.used], self._all_values[:, :, : self.used]


class ReservedCache(DynamicCache):
    """A cache for at most ``capacity`` tokens per row; for decoders whose layers all attend."""

    def __init__(self, config: PretrainedConfig, capacity: int) -> None:
        super().__init__(config=config)
        layers = config.get_text_config(decoder=True).num_hidden_layers
        self.layers = [_ReservedLayer(capacity) for _ in range(layers)]

    def fill(self, shared: ReservedCache, rows: int) -> None:
        """Begin each of ``rows`` rows with the one row of ``shared``."""
        for mine, theirs in zip(self.layers, shared.layers, strict=True):
            mine.update(theirs.keys.expand(rows, -1, -1, -1), theirs.values.expand(rows, -1, -1, -1))

    def keep(self, rows: list[int]) -> None:
        """Drop all rows but these. Row ``rows[i]`` moves to ``i``; no later place may need row ``i``."""
        for layer in self.layers:
            layer.keep(rows)


def _grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """For one new token per row, query heads of a group are taken for positions that share a key head."""
    groups = getattr(module, "num_key_value_groups", 1)
    if query.shape[2] != 1 or groups == 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    rows, heads, _, head_size = query.shape
    grouped = query.reshape(rows, heads // groups, groups, head_size)
    # (rows, key heads, groups, head size); the mask (rows, 1, 1, columns) is the same for a whole group
    mixed = scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return mixed.reshape(rows, 1, heads, value.shape[-1]), None


AttentionInterface.register(GROUPED_ATTENTION, _grouped_attention)
AttentionMaskInterface.register(GROUPED_ATTENTION, sdpa_mask)
