"""From a prompt to token ids and back, with one Rust tokenizer per model folder.

The chat template's own control tokens are special; everything that came in with a message is literal text. To
keep the two apart the template is rendered once per sequence of roles with unguessable stand-ins for the
contents, split at them, and its pieces are encoded apart from the contents. So a page that spells out
``<|im_end|>`` ends no turn, and no token spans the border between template and content.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources.errors import LanguageModelError
from resources.language_model import Prompt

__all__ = ["ChatTokenizer"]


class ChatTokenizer:
    """Encodes prompts, counts and decodes text for the model in ``folder`` (``tokenizer.json``, a chat
    template).

    Raises:
        LanguageModelError: the folder's tokenizer or chat template cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer
        from transformers import AutoTokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise LanguageModelError(
                f"The model folder {folder.name} has no tokenizer.json: save it in the fast format."
            )
        self._literal = Tokenizer.from_file(str(path))
        self._literal.encode_special_tokens = True
        self._control = Tokenizer.from_file(str(path))
        # Only the template is taken from here; its tokenizer may disagree with the Rust one on blank lines.
        self._template = AutoTokenizer.from_pretrained(folder)
        if not self._template.chat_template:
            raise LanguageModelError(f"The model {folder.name} has no chat template: use an instruct model.")
        # token ids, or the number of the message whose content stands there; by the roles of the chat
        self._rendered: dict[tuple[str, ...], list[list[int] | int]] = {}
        # Some decoders drop the space before the first token, so every text is decoded behind this one.
        self._anchor = self._literal.encode("a", add_special_tokens=False).ids
        self._anchor_text = self._literal.decode(self._anchor)

    @property
    def end_token_id(self) -> int | None:
        """Id of the token that ends a text, if the tokenizer names one."""
        return self._template.eos_token_id

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens taken literally."""
        encodings = self._literal.encode_batch(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def encode(self, prompt: Prompt) -> list[int]:
        """Token ids of the rendered chat up to and with the assistant's begun answer."""
        ids: list[int] = []
        for piece in self._pieces(tuple(message.role for message in prompt.messages)):
            ids += piece if isinstance(piece, list) else self._text_ids(prompt.messages[piece].content)
        return ids + self._text_ids(prompt.prefix)

    def choice_ids(self, choices: Sequence[str]) -> list[int]:
        """The one token of each choice.

        Raises:
            ValueError: a choice is not exactly one token of this model.
        """
        ids = [self._text_ids(choice) for choice in choices]
        wrong = [choice for choice, tokens in zip(choices, ids, strict=True) if len(tokens) != 1]
        if wrong:
            raise ValueError(
                f"Choices must be one token each; these are not: {wrong}. Use single digits or letters."
            )
        return [tokens[0] for tokens in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated tokens, control tokens left out."""
        return self._literal.decode([*self._anchor, *ids])[len(self._anchor_text) :]

    def _text_ids(self, text: str) -> list[int]:
        return self._literal.encode(text, add_special_tokens=False).ids if text else []

    def _pieces(self, roles: tuple[str, ...]) -> list[list[int] | int]:
        if roles not in self._rendered:
            mark = secrets.token_hex(16)
            marks = [f"{mark}{index};" for index in range(len(roles))]
            text = self._templated(roles, marks)
            if not all(one in text for one in marks):
                # Templates of models that also see pictures print only content that comes in typed parts.
                text = self._templated(roles, [[{"type": "text", "text": one}] for one in marks])
            if not all(one in text for one in marks):
                raise LanguageModelError(
                    f"The model's chat template leaves out some of the messages of {', '.join(roles)}: what was asked "
                    "would not be read. Change the prompt's roles or use another model."
                )
            parts = re.split(rf"{mark}(\d+);", text)  # template, number, template, number, …, template
            self._rendered[roles] = [
                int(part) if odd % 2 else self._control.encode(part, add_special_tokens=False).ids
                for odd, part in enumerate(parts)
            ]
        return self._rendered[roles]

    def _templated(self, roles: Sequence[str], contents: Sequence[Any]) -> str:
        chat = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        try:
            return self._template.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # templates raise whatever their authors chose
            raise LanguageModelError(
                f"The model's chat template refuses the roles {', '.join(roles) or '(none)'}: "
                f"{type(error).__name__}. Change the prompt's roles or use another model."
            ) from error
