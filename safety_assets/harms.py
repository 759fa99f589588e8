"""The vocabulary of the project: safety levels, harm categories, score states.

Numbers and names that several stages share have their one home here (SP section 3.1, appendices B and D).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = [
    "FIRST_REFUSED_LEVEL",
    "FIRST_UNSAFE_LEVEL",
    "HARM_CATEGORIES",
    "LEVELS",
    "HarmCategory",
    "SafetyLevel",
    "ScoreState",
    "is_refused",
    "is_rephrased",
    "is_safe",
]


class SafetyLevel(IntEnum):
    """How unsafe a text is as pretraining data; the highest level that applies counts."""

    SAFE = 0
    MINIMAL = 1
    SLIGHT = 2
    MODERATE = 3
    CLEAR = 4
    HIGH = 5


LEVELS = tuple(int(level) for level in SafetyLevel)

# Scores 1-3 are rephrased (SP 3.2), 4-5 become refusals (SP 3.3).
FIRST_UNSAFE_LEVEL = SafetyLevel.MINIMAL
FIRST_REFUSED_LEVEL = SafetyLevel.CLEAR


class HarmCategory(StrEnum):
    """The 14 categories of the Data Safety Report Card (SP appendix D), and two for what is none of them."""

    VIOLENT_CRIMES = "violent_crimes"
    NON_VIOLENT_CRIMES = "non_violent_crimes"
    SEX_RELATED_CRIMES = "sex_related_crimes"
    CHILD_SEXUAL_EXPLOITATION = "child_sexual_exploitation"
    DEFAMATION = "defamation"
    SPECIALIZED_ADVICE = "specialized_advice"
    PRIVACY = "privacy"
    INTELLECTUAL_PROPERTY = "intellectual_property"
    INDISCRIMINATE_WEAPONS = "indiscriminate_weapons"
    HATE = "hate"
    SUICIDE_SELF_HARM = "suicide_self_harm"
    SEXUAL_CONTENT = "sexual_content"
    ELECTIONS = "elections"
    CODE_ABUSE = "code_abuse"
    # Mild profanity, insults, alcohol, gambling: unsafe, but none of the 14.
    OTHER = "other"
    NONE = "none"


HARM_CATEGORIES = tuple(category for category in HarmCategory if category not in ("other", "none"))


class ScoreState(StrEnum):
    """What became of an attempt to score a text. Only ``SCORED`` carries a score."""

    SCORED = "scored"
    PARSE_FAILED = "parse_failed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    TOO_LONG = "too_long"
    MISSING = "missing"


def is_safe(score: int | None) -> bool:
    """True only for a score that was made and is 0: no score is never safe."""
    return score == SafetyLevel.SAFE


def is_rephrased(score: int | None) -> bool:
    """True for levels 1-3."""
    return score is not None and FIRST_UNSAFE_LEVEL <= score < FIRST_REFUSED_LEVEL


def is_refused(score: int | None) -> bool:
    """True for levels 4-5."""
    return score is not None and score >= FIRST_REFUSED_LEVEL
