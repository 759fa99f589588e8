"""A model's own marks in its answer: the harmfulness tag, and safety reflections.

A model that marks its answer unsafe has already said what stands before the mark. Both are judged: the whole
answer as a reader sees it, without the marks, and the text before the first unsafe one (SRP section 5, caveat).
"""

from __future__ import annotations

import re

from safety_assets.prompts import TAG_TOKEN

__all__ = ["before_own_tag", "visible"]

_REFLECTION = r"<think>\s*{}[^<>]{{0,120}}</think>"
_UNSAFE = re.compile(rf"{re.escape(TAG_TOKEN)}|<think>\s*Unsafe\b")
_MARKS = re.compile(
    rf"{re.escape(TAG_TOKEN)}|" + _REFLECTION.format(r"(?:Safe|Unsafe|Controversial)\b"),
)
# A reflection that the answer's end cut off; "Safe" and "Controversial" are no unsafe marks, but are not text either.
_CUT_OFF = re.compile(r"<think>[^<>]{0,120}(?:</?t?h?i?n?k?)?$")


def visible(answer: str) -> str:
    """The answer without the model's own marks."""
    return _CUT_OFF.sub("", _MARKS.sub("", answer)).strip()


def before_own_tag(answer: str) -> str | None:
    """What the model had said when it first marked its answer unsafe, without marks; None if it never did."""
    found = _UNSAFE.search(answer)
    return visible(answer[: found.start()]) if found else None
