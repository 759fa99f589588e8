"""From LitGPT's weights to a Hugging Face folder, that transformers and vLLM serve; the logits are compared.

Imports torch, litgpt and transformers: import this where a step needs it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Protocol

import torch
from litgpt import Config
from litgpt.scripts.convert_lit_checkpoint import copy_weights_llama

from safety_assets.training.errors import TrainingError
from safety_assets.training.models import build_model

__all__ = ["export_to_hugging_face"]

# Both compute in float32; what is left is the order of additions.
TOLERANCE = 1e-3
COMPARED_TOKENS = 64


class SavesItself(Protocol):
    """A tokenizer."""

    def save(self, folder: Path) -> None: ...


def export_to_hugging_face(
    weights: Path, config: Config, tokenizer: SavesItself, folder: Path, *, end_ids: list[int], pad_id: int
) -> float:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer; returns the largest difference of logits.

    The folder appears whole or not at all.

    Raises:
        TrainingError: the reloaded model does not give the same logits.
    """
    from transformers import LlamaForCausalLM

    state = torch.load(weights, weights_only=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        converted: dict[str, torch.Tensor] = {}
        copy_weights_llama(config, converted, state, untie_weights=True)
        exported = LlamaForCausalLM(_llama_config(config, end_ids, pad_id))
        missing, unexpected = exported.load_state_dict(converted, strict=False)
        if unexpected or set(missing) - {"lm_head.weight"}:
            raise TrainingError(f"The exported model lacks {missing} and does not know {unexpected}.")
        exported.tie_weights()
        exported.save_pretrained(beside)
        tokenizer.save(beside)
        difference = _difference(state, config, beside)
        if difference > TOLERANCE:
            raise TrainingError(
                f"The exported model's logits differ by {difference:.2g}, more than {TOLERANCE:g}: it was not kept."
            )
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return difference


def _llama_config(config: Config, end_ids: list[int], pad_id: int):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=config.padded_vocab_size,
        hidden_size=config.n_embd,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.n_layer,
        num_attention_heads=config.n_head,
        num_key_value_heads=config.n_query_groups,
        head_dim=config.head_size,
        max_position_embeddings=config.block_size,
        rms_norm_eps=config.norm_eps,
        rope_theta=float(config.rope_base),
        tie_word_embeddings=True,
        bos_token_id=pad_id,
        eos_token_id=end_ids,
        pad_token_id=pad_id,
        attention_bias=False,
        mlp_bias=False,
    )


@torch.no_grad()
def _difference(state: dict[str, torch.Tensor], config: Config, folder: Path) -> float:
    from transformers import AutoModelForCausalLM

    ours = build_model(config).eval()
    ours.load_state_dict(state)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    draw = torch.Generator().manual_seed(0)
    length = min(COMPARED_TOKENS, config.block_size)
    ids = torch.randint(config.vocab_size, (2, length), generator=draw)
    return float((ours(ids) - theirs(ids).logits).abs().max())
