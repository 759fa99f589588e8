"""What a text to train on is made of: literal pieces, and control tokens between them.

A piece of web text is always literal: whatever it spells out, it never becomes a control token. Control tokens
come only from the formats of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Control", "Piece"]


class Control(StrEnum):
    """Tokens with a meaning of their own; each is one id of the tokenizer."""

    END_OF_TEXT = "end_of_text"
    TURN_START = "turn_start"
    TURN_END = "turn_end"
    TAG = "tag"


@dataclass(frozen=True)
class Piece:
    """A run of literal text, or one control token.

    Attributes:
        content: the text, or the control token.
        loss: whether the model is trained to predict the tokens of this piece.
        char_start: where the text begins in its source document; None for what a format put in.
    """

    content: str | Control
    loss: bool = True
    char_start: int | None = None
