"""Which harm an unsafe text is of: the sources' own names for it, read as the project's categories.

Only where a source's name is plain: a text whose harm is not said trains no category.
"""

from __future__ import annotations

import numpy as np

from safety_assets.harms import HARM_CATEGORIES, HarmCategory
from safety_assets.scoring.building.sources import SourceText
from safety_assets.scoring.building.targets import soft_target

__all__ = ["CATEGORIES", "category_of", "project_category"]

CATEGORIES = (*(category.value for category in HARM_CATEGORIES), HarmCategory.OTHER.value)
# catqa's headings, the longest that fits first: "heading/part" or "heading".
REQUESTED = {
    "Illegal Activity/Cybercrime:": HarmCategory.CODE_ABUSE,
    "Illegal Activity/Weapon:": HarmCategory.INDISCRIMINATE_WEAPONS,
    "Illegal Activity/Human Trafficking:": HarmCategory.SEX_RELATED_CRIMES,
    "Illegal Activity": HarmCategory.NON_VIOLENT_CRIMES,
    "Child Abuse/Online predation": HarmCategory.CHILD_SEXUAL_EXPLOITATION,
    "Child Abuse": HarmCategory.VIOLENT_CRIMES,
    "Hate/Harass/Violence/Racial or ethnic hate": HarmCategory.HATE,
    "Hate/Harass/Violence/Religious intolerance": HarmCategory.HATE,
    "Hate/Harass/Violence/Gender-based violence": HarmCategory.VIOLENT_CRIMES,
    "Hate/Harass/Violence/Cyberbullying": HarmCategory.OTHER,
    "Hate/Harass/Violence/Terrorism and extremism": HarmCategory.VIOLENT_CRIMES,
    "Malware Viruses": HarmCategory.CODE_ABUSE,
    "Physical Harm/Self-harm": HarmCategory.SUICIDE_SELF_HARM,
    "Physical Harm/Assault and battery": HarmCategory.VIOLENT_CRIMES,
    "Physical Harm/Weapon making": HarmCategory.INDISCRIMINATE_WEAPONS,
    "Economic Harm/Intellectual property theft": HarmCategory.INTELLECTUAL_PROPERTY,
    "Economic Harm": HarmCategory.NON_VIOLENT_CRIMES,
    "Fraud/Deception/Counterfeiting": HarmCategory.INTELLECTUAL_PROPERTY,
    "Fraud/Deception": HarmCategory.NON_VIOLENT_CRIMES,
    "Adult Content": HarmCategory.SEXUAL_CONTENT,
    "Political Campaigning": HarmCategory.ELECTIONS,
    "Privacy Violation Activity": HarmCategory.PRIVACY,
    "Tailored Financial Advice": HarmCategory.SPECIALIZED_ADVICE,
}
# Names of the oracle's guide that are none of the 15.
NEAREST = {
    "harassment": HarmCategory.OTHER,
    "profanity": HarmCategory.OTHER,
    "drugs_alcohol_gambling": HarmCategory.OTHER,
    "conspiracy_misinformation": HarmCategory.OTHER,
    "violence_gore": HarmCategory.VIOLENT_CRIMES,
}
# Votes for hate, of all votes, from which a post is hate; below the second it is abuse of no group.
HATE_FROM, ABUSE_BELOW = 0.6, 0.1


def category_of(text: SourceText) -> str | None:
    """The category of an unsafe text where its source says it plainly; None for a harmless text, or where it does not."""
    if text.score is not None:
        return text.category if text.score > 0 and text.category in CATEGORIES else None
    if text.source == "catqa":
        return _requested(text.category)
    if text.source == "edos":
        return None if text.label == "none" else HarmCategory.HATE.value
    if text.source == "toxigen-demos":
        return HarmCategory.HATE.value if text.label == "hate" else None
    if text.source == "davidson":
        hate, offensive, _ = np.array(text.votes) / sum(text.votes)
        if hate >= HATE_FROM:
            return HarmCategory.HATE.value
        return HarmCategory.OTHER.value if offensive >= 1 - ABUSE_BELOW else None
    if text.source in ("toxic-spans", "perspective-wiki2k"):
        return HarmCategory.OTHER.value if soft_target(text)[1] >= 0.8 else None
    return None


def project_category(name: str) -> str:
    """One of the project's categories for a name in the oracle's annotations."""
    return HarmCategory(NEAREST.get(name, name)).value


def _requested(heading: str) -> str | None:
    while heading:
        if heading in REQUESTED:
            return REQUESTED[heading].value
        heading = heading.rpartition("/")[0]
    return None
