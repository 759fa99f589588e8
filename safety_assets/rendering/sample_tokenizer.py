"""How the packaged tokenizer was made: byte-level BPE over the sample corpus and the seeds, 4,096 ids in all.

``python -m safety_assets.rendering.sample_tokenizer`` writes it again; the same texts give the same file.
"""

from __future__ import annotations

import json

from safety_assets.rendering.tokenizer import PACKAGED_FILE, TOKENS
from safety_assets.sample_data.sample import DOCUMENTS, load_seeds

__all__ = ["main", "train_sample_tokenizer"]

VOCABULARY = 4_096


def train_sample_tokenizer() -> str:
    """The tokenizer as JSON. The control tokens have the first ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer.to_str(pretty=False)


def main() -> None:
    """Write the packaged file."""
    PACKAGED_FILE.write_text(train_sample_tokenizer(), encoding="utf-8")


def _texts() -> list[str]:
    documents = [
        json.loads(line)["text"]
        for path in sorted(DOCUMENTS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    return documents + [seed.text for seed in load_seeds()]


if __name__ == "__main__":
    main()
