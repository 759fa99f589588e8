"""Disguises of letters and words, each a function of a text; what is left to chance comes from the given generator."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping

__all__ = [
    "FULLWIDTH",
    "LEET",
    "LOOK_ALIKES",
    "MARKS",
    "MATHEMATICAL",
    "OFTEN",
    "UNSEEN",
    "after_letters",
    "in_base64",
    "in_lines",
    "shifted",
    "some_apart",
    "utf8",
    "with_letters",
]

LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}
LOOK_ALIKES = {
    "a": "аɑα", "b": "Ьƅ", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡց", "h": "һհ", "i": "іɩ", "j": "ј", "k": "κк", "l": "ӏⅼ",
    "m": "ⅿ", "n": "ոη", "o": "оοօ", "p": "рρ", "q": "ԛ", "r": "гꭇ", "s": "ѕꜱ", "t": "тτ", "u": "υս", "v": "νѵ", "w": "ԝա",
    "x": "хχ", "y": "уγ", "z": "ᴢ", "A": "АΑ", "B": "ВΒ", "C": "С", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "K": "КΚ", "M": "МΜ",
    "N": "Ν", "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ΥҮ", "Z": "Ζ",
}  # fmt: skip
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
MARKS = [chr(code) for code in range(0x300, 0x34F)]
# Where A, a and 0 begin: fullwidth forms, and mathematical bold letters.
FULLWIDTH = {"A": 0xFF21, "a": 0xFF41, "0": 0xFF10}
MATHEMATICAL = {"A": 0x1D400, "a": 0x1D41A, "0": 0x1D7CE}
# Letters of a word, or words of a text, that a partial disguise takes.
OFTEN, SELDOM = 0.6, 0.3


def utf8(text: str) -> bytes:
    # A lone surrogate has no bytes.
    return text.encode("utf-8", "replace")


def in_base64(text: str, *, web: bool = False) -> str:
    return (base64.urlsafe_b64encode if web else base64.b64encode)(utf8(text)).decode()


def in_lines(text: str, length: int = 76) -> str:
    return "\n".join(text[at : at + length] for at in range(0, len(text), length))


def with_letters(text: str, table: Mapping[str, str], dice: random.Random, share: float) -> str:
    return "".join(
        dice.choice(table.get(letter, table.get(letter.lower(), letter))) if dice.random() < share else letter
        for letter in text
    )


def after_letters(text: str, added: Callable[[], str], dice: random.Random, share: float) -> str:
    return "".join(
        letter + (added() if letter.isalpha() and dice.random() < share else "") for letter in text
    )


def shifted(text: str, first: Mapping[str, int]) -> str:
    def shifted(letter: str) -> str:
        if not (letter.isascii() and letter.isalnum()):
            return letter
        begin = "0" if letter.isdigit() else "A" if letter.isupper() else "a"
        return chr(first[begin] + ord(letter) - ord(begin))

    return "".join(map(shifted, text))


def some_apart(text: str, dice: random.Random) -> str:
    return " ".join(
        " ".join(word) if len(word) > 2 and word.isalpha() and dice.random() < SELDOM else word
        for word in text.split(" ")
    )
