"""Tiny real models, made here and saved with a tokenizer that has the tag."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from safety_assets.prompts import TAG_TOKEN

VOCABULARY = 64
END, OTHER_END, TAG = 0, 1, 2


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a randomly initialised model of two layers; ``has_tag`` is whether its tokenizer knows the tag,
    ``copy`` a name that keeps a model apart from others that are the same."""

    @functools.cache
    def save(
        seed: int = 0, *, copy: str = "", has_tag: bool = True, padding: int = 0, ends=(END, OTHER_END)
    ) -> Path:
        import torch
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel
        from transformers import LlamaConfig, LlamaForCausalLM

        folder = tmp_path_factory.mktemp("model")
        torch.manual_seed(seed)
        # A wide initialisation makes the next tokens clearly more and less likely.
        config = LlamaConfig(
            vocab_size=VOCABULARY + padding,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            initializer_range=0.35,
            tie_word_embeddings=False,
            bos_token_id=END,
            eos_token_id=list(ends),
            pad_token_id=END,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        words = {"<|endoftext|>": END, "<|im_end|>": OTHER_END}
        words |= {TAG_TOKEN: TAG} if has_tag else {"other": TAG}
        words |= {f"word{index}": index for index in range(3, VOCABULARY)}
        Tokenizer(WordLevel(words, unk_token="word3")).save(str(folder / "tokenizer.json"))
        return folder

    return save
