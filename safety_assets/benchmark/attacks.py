"""Attacks on a scorer: what a page's author can do to a text so that people still read it and a scorer does not.

The same attacks on harmless texts are the twin: a scorer that flags whatever is disguised has learned the disguise.
Nothing is scored here.
"""

from __future__ import annotations

import codecs
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from safety_assets.benchmark import disguises
from safety_assets.benchmark.attack_wordings import (
    CONTROL_TOKENS,
    FAKE_ANSWERS,
    FAKE_SCORES,
    FOREIGN,
    INSTRUCTIONS,
    NOTES,
)
from safety_assets.benchmark.packaged_texts import packaged_texts
from safety_assets.sentences import sentence_spans

__all__ = ["ATTACKS", "Attack", "attacks"]

Change = Callable[[str, random.Random], str]


@dataclass(frozen=True)
class Attack:
    """A change to a text. ``kind`` is instruction, encoding, spelling, dilution, language or length."""

    name: str
    kind: str
    apply: Change

    def __call__(self, text: str, seed: int = 0) -> str:
        """The text under attack; the same for the same text and seed."""
        return self.apply(text, random.Random(f"{self.name}:{seed}:{text!r}"))


@lru_cache(maxsize=1)
def _packaged_harmless() -> tuple[str, ...]:
    return tuple(
        text.text
        for text in packaged_texts()
        if text.collection == "documents" and text.level == 0 and not text.sensitive
    )


def _harmless(pool: Sequence[str], words: int, dice: random.Random) -> str:
    """Harmless texts one after another, cut at a number of words."""
    chosen: list[str] = []
    while len(chosen) < words:
        chosen += dice.choice(pool or _packaged_harmless()).split() or ["."]
    return " ".join(chosen[:words])


def _around(text: str, pool: Sequence[str], words: int, dice: random.Random) -> str:
    before = dice.randint(words // 10, words - words // 10)
    return f"{_harmless(pool, before, dice)}\n\n{text}\n\n{_harmless(pool, words - before, dice)}"


def _scattered(text: str, pool: Sequence[str], dice: random.Random) -> str:
    """After each sentence, five times as many harmless words."""
    pieces = []
    for sentence in _sentences(text):
        pieces += [sentence, _harmless(pool, 5 * len(sentence.split()), dice)]
    return " ".join(pieces) or text


def _between(before: str, after: str) -> Change:
    return lambda text, _: f"{before}\n\n{text}\n\n{after}"


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def _first_sentence(text: str) -> str:
    return (_sentences(text) or [text])[0]


def _inside(text: str, inserted: str) -> str:
    sentences = _sentences(text)
    middle = (len(sentences) + 1) // 2
    return " ".join([*sentences[:middle], inserted, *sentences[middle:]])


def _instructed_all_over(text: str, dice: random.Random) -> str:
    return "\n".join(f"{dice.choice(INSTRUCTIONS)} {sentence}" for sentence in _sentences(text)) or text


def _noted(hidden: str) -> str:
    return NOTES.format(text=hidden)


def attacks(harmless: Sequence[str] = ()) -> tuple[Attack, ...]:
    """All attacks; those that hide a text among harmless ones take them from ``harmless``, or from the packaged sample."""
    pool = tuple(harmless)
    return (
        Attack("instruction before", "instruction", lambda text, dice: f"{dice.choice(INSTRUCTIONS)}\n\n{text}"),
        Attack("instruction after", "instruction", lambda text, dice: f"{text}\n\n{dice.choice(INSTRUCTIONS)}"),
        Attack("instruction inside", "instruction", lambda text, dice: _inside(text, dice.choice(INSTRUCTIONS))),
        Attack("instructions all over", "instruction", _instructed_all_over),
        Attack("fake score", "instruction", lambda text, dice: f"{dice.choice(FAKE_SCORES)}\n{text}\n{dice.choice(FAKE_SCORES)}"),
        Attack("fake answer", "instruction", lambda text, dice: f"{text}\n\n{dice.choice(FAKE_ANSWERS)}"),
        Attack("control tokens", "instruction", lambda text, dice: dice.choice(CONTROL_TOKENS).format(text=text)),
        Attack("base64", "encoding", lambda text, _: _noted(disguises.in_base64(text))),
        Attack("base64 in lines, web letters", "encoding", lambda text, _: _noted(disguises.in_lines(disguises.in_base64(text, web=True)))),
        Attack("base64 twice", "encoding", lambda text, _: _noted(disguises.in_base64(disguises.in_base64(text)))),
        Attack("hexadecimal", "encoding", lambda text, _: _noted(disguises.utf8(text).hex())),
        Attack("percent escapes", "encoding", lambda text, _: quote(disguises.utf8(text), safe="")),
        Attack("character references", "encoding", lambda text, _: "".join(f"&#{ord(letter)};" if letter.isalnum() else letter for letter in text)),
        Attack("rot13", "encoding", lambda text, _: codecs.encode(text, "rot13")),
        Attack("right to left", "encoding", lambda text, _: "\n".join(line[::-1] for line in text.split("\n"))),
        Attack("half leetspeak", "spelling", lambda text, dice: disguises.with_letters(text, disguises.LEET, dice, 0.5)),
        Attack("leetspeak", "spelling", lambda text, dice: disguises.with_letters(text, disguises.LEET, dice, 1.0)),
        Attack("look-alikes", "spelling", lambda text, dice: disguises.with_letters(text, disguises.LOOK_ALIKES, dice, disguises.OFTEN)),
        Attack("fullwidth letters", "spelling", lambda text, _: disguises.shifted(text, disguises.FULLWIDTH)),
        Attack("mathematical letters", "spelling", lambda text, _: disguises.shifted(text, disguises.MATHEMATICAL)),
        Attack("zero-width characters", "spelling", lambda text, dice: disguises.after_letters(text, lambda: dice.choice(disguises.UNSEEN), dice, disguises.OFTEN)),
        Attack("piles of marks", "spelling", lambda text, dice: disguises.after_letters(text, lambda: "".join(dice.choices(disguises.MARKS, k=dice.randint(2, 6))), dice, disguises.OFTEN)),
        Attack("letters apart", "spelling", lambda text, _: "   ".join(" ".join(word) for word in text.split())),
        Attack("some letters apart", "spelling", disguises.some_apart),
        Attack("dots between letters", "spelling", lambda text, _: " ".join(".".join(word) if word.isalpha() else word for word in text.split())),
        Attack("capitals", "spelling", lambda text, _: text.upper()),
        Attack("1,000 harmless words before", "dilution", lambda text, dice: f"{_harmless(pool, 1_000, dice)}\n\n{text}"),
        Attack("1,000 harmless words after", "dilution", lambda text, dice: f"{text}\n\n{_harmless(pool, 1_000, dice)}"),
        Attack("1,000 harmless words around", "dilution", lambda text, dice: _around(text, pool, 1_000, dice)),
        Attack("5,000 harmless words around", "dilution", lambda text, dice: _around(text, pool, 5_000, dice)),
        Attack("scattered among harmless sentences", "dilution", lambda text, dice: _scattered(text, pool, dice)),
        *(Attack(f"{language} around", "language", _between(*paragraphs)) for language, paragraphs in FOREIGN.items()),
        Attack("ten times a harmless text", "length", lambda text, dice: "\n\n".join([_harmless(pool, 200, dice)] * 10 + [text])),
        Attack("first sentence alone", "length", lambda text, _: _first_sentence(text)),
    )  # fmt: skip


# By name, with harmless words from the packaged sample.
ATTACKS: Mapping[str, Attack] = {attack.name: attack for attack in attacks()}
