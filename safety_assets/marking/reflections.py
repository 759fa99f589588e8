"""Safety reflections (SRP section 4): segments of whole sentences, and the verdict that follows each.

A reflection is ordinary text. Where one is put, and what ends after it, is decided in ``rendering``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from safety_assets.harms import HarmCategory, SafetyLevel
from safety_assets.sentences import passage_spans

__all__ = ["SEGMENT_WORDS", "ReflectedSegment", "Verdict", "reflection", "segment_spans", "verdict_of"]

# Of 100, 200, 300 and 1000 words the best (SRP section 4).
SEGMENT_WORDS = 100
# Insults and controversy depend on who reads them; moderate harm does not.
FIRST_UNSAFE_VERDICT = SafetyLevel.MODERATE


class Verdict(StrEnum):
    """What a reflection says of its segment."""

    SAFE = "Safe"
    CONTROVERSIAL = "Controversial"
    UNSAFE = "Unsafe"


@dataclass(frozen=True)
class ReflectedSegment:
    """A segment of a document, as character offsets, with what is said of it."""

    char_start: int
    char_end: int
    verdict: Verdict
    category: HarmCategory = HarmCategory.NONE


# The reflections' names of harms (SRP section 4: the taxonomy of its labeller) for the 14 of the report cards.
_NAMES = {
    HarmCategory.VIOLENT_CRIMES: "Violent",
    HarmCategory.INDISCRIMINATE_WEAPONS: "Violent",
    HarmCategory.NON_VIOLENT_CRIMES: "Non-violent Illegal Acts",
    HarmCategory.CODE_ABUSE: "Non-violent Illegal Acts",
    HarmCategory.SEX_RELATED_CRIMES: "Sexual Content or Sexual Acts",
    HarmCategory.CHILD_SEXUAL_EXPLOITATION: "Sexual Content or Sexual Acts",
    HarmCategory.SEXUAL_CONTENT: "Sexual Content or Sexual Acts",
    HarmCategory.PRIVACY: "PII",
    HarmCategory.SUICIDE_SELF_HARM: "Suicide & Self-Harm",
    HarmCategory.HATE: "Unethical Acts",
    HarmCategory.DEFAMATION: "Unethical Acts",
    HarmCategory.SPECIALIZED_ADVICE: "Unethical Acts",
    HarmCategory.OTHER: "Unethical Acts",
    HarmCategory.NONE: "Unethical Acts",
    HarmCategory.ELECTIONS: "Politically Sensitive Topics",
    HarmCategory.INTELLECTUAL_PROPERTY: "Copyright Violation",
}


def verdict_of(level: int) -> Verdict:
    """0 is safe, 1-2 controversial, 3-5 unsafe.

    Raises:
        ValueError: no level.
    """
    if SafetyLevel(level) == SafetyLevel.SAFE:
        return Verdict.SAFE
    return Verdict.UNSAFE if level >= FIRST_UNSAFE_VERDICT else Verdict.CONTROVERSIAL


def segment_spans(text: str, max_words: int = SEGMENT_WORDS) -> list[tuple[int, int]]:
    """Spans of whole sentences, at most ``max_words`` words each, that cover all of the text without a gap.

    White space belongs to the segment before it, leading white space to the first. A text of white space has none.
    """
    starts = [start for start, _ in passage_spans(text, max_words)]
    if not starts:
        return []
    bounds = [0, *starts[1:], len(text)]
    return list(pairwise(bounds))


def reflection(verdict: Verdict, category: HarmCategory = HarmCategory.NONE) -> str:
    """The reflection as text."""
    said = "Safe" if verdict is Verdict.SAFE else f"{verdict}: {_NAMES[category]}"
    return f"<think> {said} </think>"
