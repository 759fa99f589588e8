"""Two readings of a document: as it looks, and as what it hides.

Disguises are for readers who see letters (people, language models), so the scorer reads letters as they look. What is
encoded or spelled out is a second reading: it may be wrong about harmless text, so it never takes the place of the
first. Both take time that grows with the text's length only.
"""

from __future__ import annotations

import re

from safety_assets.scoring.look_alikes import plain_word
from safety_assets.scoring.masks import unmasked_once

__all__ = ["plain_view", "unmasked_view"]

# Masks over masks are undone until the work is this many times the text. Base64 in base64 always ends before.
ROUNDS = 6
_WORD = re.compile(r"\S+")


def plain_view(text: str) -> str:
    """The text as it looks: fullwidth and mathematical letters, look-alikes of other alphabets, invisible characters
    and piles of marks read plainly, word by word. Text in ASCII, and in other languages, stays as it is.
    """
    return text if text.isascii() else _WORD.sub(_plain, text)


def unmasked_view(text: str) -> str:
    """What the text hides: encodings decoded, letters joined that stand apart, digits in words read as letters.

    Equal to :func:`plain_view` where nothing is hidden.
    """
    text = plain_view(text)
    left = ROUNDS * len(text)
    while left > 0 and (unmasked := unmasked_once(text)) != text:
        left -= len(text)
        text = plain_view(unmasked)
    return text


def _plain(match: re.Match[str]) -> str:
    return match[0] if match[0].isascii() else plain_word(match[0])
