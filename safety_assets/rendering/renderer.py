"""From pieces to token ids and a loss mask. The only place where training text meets the tokenizer.

Everything literal is encoded in one batch, special tokens taken literally; control tokens are put between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from safety_assets.rendering.pieces import Control, Piece

if TYPE_CHECKING:
    from tokenizers import Encoding

    from safety_assets.rendering.tokenizer import TextTokenizer

__all__ = ["Rendered", "Renderer"]


@dataclass(frozen=True)
class Rendered:
    """One text as tokens.

    Attributes:
        ids: (tokens,) int32.
        loss: (tokens,) bool, true where the model is trained to predict the token.
    """

    ids: np.ndarray
    loss: np.ndarray
    _starts: tuple[int, ...]
    _pieces: tuple[tuple[int | None, Encoding | None], ...]
    _chars: int

    def __len__(self) -> int:
        return len(self.ids)

    def char_at(self, token: int) -> int:
        """Offset in the source text where token number ``token`` begins; the text's end for the number of tokens.

        Tokens that a format put in have the offset of what follows them. A character cut by a token border counts to
        the token it begins in.

        Raises:
            IndexError: no such token.
        """
        if not 0 <= token <= len(self.ids):
            raise IndexError(f"token {token} of {len(self.ids)}")
        piece = bisect_right(self._starts, token) - 1
        while 0 <= piece < len(self._pieces):
            start, encoding = self._pieces[piece]
            if start is not None and encoding is not None and len(encoding) > token - self._starts[piece]:
                local = token - self._starts[piece]
                return start + (_end_of(encoding, local - 1) if local > 0 else 0)
            piece += 1
            token = max(token, self._starts[piece]) if piece < len(self._starts) else token
        return self._chars


class Renderer:
    """Renders texts with one tokenizer. Holds no state of its own."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self._control = {control: np.array([tokenizer.control_id(control)], np.int32) for control in Control}

    def render(self, documents: Sequence[Sequence[Piece]]) -> list[Rendered]:
        """Token ids and loss masks of texts, in order; all literal pieces of all texts are encoded together."""
        literal = [
            piece.content
            for piece in chain.from_iterable(documents)
            if not isinstance(piece.content, Control)
        ]
        encodings = iter(self.tokenizer.encode_batch(literal))
        return [self._assembled(document, encodings) for document in documents]

    def _assembled(self, document: Sequence[Piece], encodings) -> Rendered:
        ids, loss, starts, pieces = [], [], [], []
        length = chars = 0
        for piece in document:
            control = isinstance(piece.content, Control)
            encoding = None if control else next(encodings)
            own = self._control[piece.content] if control else np.array(encoding.ids, np.int32)
            ids.append(own)
            loss.append(np.full(len(own), piece.loss))
            starts.append(length)
            pieces.append((piece.char_start, encoding))
            length += len(own)
            if piece.char_start is not None:
                chars = max(chars, piece.char_start + len(piece.content))
        return Rendered(
            ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
            loss=np.concatenate(loss) if loss else np.zeros(0, bool),
            _starts=tuple(starts),
            _pieces=tuple(pieces),
            _chars=chars,
        )


def _end_of(encoding: Encoding, token: int) -> int:
    span = encoding.token_to_chars(token)
    return span[1] if span is not None else 0
