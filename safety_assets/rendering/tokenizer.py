"""The tokenizer of a model to be trained: one Rust object for labels, training, evaluation and export.

Text is always encoded literally. The control tokens are single ids; one that the vocabulary lacks (the harmfulness tag,
as a rule) gets the next free id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resources.errors import ResourceError
from safety_assets.prompts import TAG_TOKEN
from safety_assets.rendering.pieces import Control

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["PACKAGED_TOKENIZER", "TextTokenizer", "TokenizerError", "open_tokenizer"]

PACKAGED_TOKENIZER = "sample-bpe-4096"
PACKAGED_FILE = Path(__file__).parent / "sample_bpe_4096.json"
TOKENS = {
    Control.END_OF_TEXT: "<|endoftext|>",
    Control.TURN_START: "<|im_start|>",
    Control.TURN_END: "<|im_end|>",
    Control.TAG: TAG_TOKEN,
}
# Windows keep their ids as unsigned 16-bit integers.
MOST_IDS = 1 << 16
# Matrix sizes that are multiples of this are quicker on GPUs.
PADDED_TO = 64
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n<|im_start|>assistant\\n' }}{% endif %}"
)


class TokenizerError(ResourceError):
    """A tokenizer that cannot be used for training."""


def open_tokenizer(spec: str, *, cache: Path, revision: str | None = None) -> TextTokenizer:
    """The tokenizer that a profile names.

    Args:
        spec: ``sample-bpe-4096``, the packaged one; or a model as :func:`resources.model_store.resolve_model` takes it.
        cache: folder of prepared packaged models.

    Raises:
        ModelStoreError: there is no such model.
        TokenizerError: its tokenizer cannot be used.
    """
    if spec == PACKAGED_TOKENIZER:
        return TextTokenizer.from_file(PACKAGED_FILE, PACKAGED_TOKENIZER)
    from resources.model_store import resolve_model

    model = resolve_model(spec, cache=cache, revision=revision)
    return TextTokenizer.from_file(model.folder / "tokenizer.json", model.name)


class TextTokenizer:
    """Literal encoding, and the ids of the control tokens."""

    def __init__(self, tokenizer: Tokenizer, name: str) -> None:
        from tokenizers import AddedToken

        # One that the vocabulary has keeps its id and becomes special.
        tokenizer.add_special_tokens(
            [AddedToken(token, special=True, normalized=False) for token in TOKENS.values()]
        )
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.name = name
        self._written = tokenizer.to_str()
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self._ids = {control: tokenizer.token_to_id(token) for control, token in TOKENS.items()}
        self._require_fit()

    def _require_fit(self) -> None:
        spelled = {index for encoding in self.encode_batch(list(TOKENS.values())) for index in encoding.ids}
        if spelled & set(self._ids.values()):
            raise TokenizerError(
                f"The tokenizer {self.name} makes control tokens of text that spells them out: choose one with byte-level "
                "BPE, such as SmolLM2's."
            )
        if self.vocabulary_size > MOST_IDS:
            raise TokenizerError(
                f"The tokenizer {self.name} has {self.vocabulary_size} ids, and windows hold at most {MOST_IDS}: "
                "choose one with a smaller vocabulary, such as SmolLM2's."
            )

    @classmethod
    def from_file(cls, path: Path, name: str) -> TextTokenizer:
        """Read a ``tokenizer.json``.

        Raises:
            TokenizerError: there is none, or it cannot be read.
        """
        from tokenizers import Tokenizer

        try:
            return cls(Tokenizer.from_str(path.read_text(encoding="utf-8")), name)
        except OSError as error:
            raise TokenizerError(
                f"The tokenizer {name} has no tokenizer.json: save it in the fast format."
            ) from error
        except TokenizerError:
            raise
        except Exception as error:  # the library raises bare Exceptions
            raise TokenizerError(f"The tokenizer.json of {name} cannot be read: {error}.") from error

    @property
    def vocabulary_size(self) -> int:
        """Ids in use, control tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def padded_vocabulary_size(self) -> int:
        """Rows of an embedding matrix: ``vocabulary_size`` rounded up to a multiple of 64."""
        return -(-self.vocabulary_size // PADDED_TO) * PADDED_TO

    @property
    def digest(self) -> str:
        """Of everything that shapes its ids, 16 hex digits."""
        return hashlib.sha256(self._written.encode()).hexdigest()[:16]

    def control_id(self, control: Control) -> int:
        """The one id of a control token."""
        return self._ids[control]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Encodings of texts; what looks like a control token stays text, and none is added.

        The packaged tokenizer loses nothing. SmolLM2's lacks six control characters, which are left out.
        """
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens written out."""
        return self._tokenizer.decode([int(index) for index in ids], skip_special_tokens=False)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, for transformers and for servers."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(self._written, encoding="utf-8")
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": TOKENS[Control.END_OF_TEXT],
            "eos_token": TOKENS[Control.END_OF_TEXT],
            "pad_token": TOKENS[Control.END_OF_TEXT],
            "additional_special_tokens": [TOKENS[Control.TURN_START], TOKENS[Control.TURN_END], TAG_TOKEN],
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
