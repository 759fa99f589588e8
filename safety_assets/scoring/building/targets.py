"""From the labels of each source to P(level >= 1..5): soft, since no source labels the project's levels.

The numbers are judgements, set by hand from what each source's classes mean; see the model card for what came of them.
"""

from __future__ import annotations

import numpy as np

from safety_assets.scoring.building.sources import SourceText, licence_of

__all__ = ["BANDS", "band_of", "bucket_of", "soft_target"]

# Hate, offensive, neither: what one annotator's vote says.
VOTES = np.array([(1, 1, 1, 0.75, 0.15), (1, 0.8, 0.45, 0.1, 0.01), (0.15, 0.08, 0.03, 0.01, 0)])
# Fine-grained classes of sexism, by the number that their name begins with.
SEXISM = {
    "none": (0.4, 0.25, 0.12, 0.04, 0.01),
    "1.1": (1, 1, 1, 0.95, 0.75),
    "1.2": (1, 1, 1, 0.9, 0.6),
    "2.1": (1, 1, 0.9, 0.4, 0.03),
    "2.2": (1, 1, 0.95, 0.65, 0.05),
    "2.3": (1, 1, 0.95, 0.6, 0.05),
    "3.1": (1, 0.95, 0.7, 0.3, 0.02),
    "3.2": (1, 0.95, 0.8, 0.1, 0),
    "3.3": (0.9, 0.7, 0.4, 0.03, 0),
    "3.4": (0.9, 0.7, 0.4, 0.03, 0),
    "4.1": (1, 0.95, 0.85, 0.3, 0.03),
    "4.2": (1, 0.95, 0.85, 0.2, 0.02),
}
CLASSES = {
    ("toxic-spans", "toxic_span"): (1, 0.85, 0.4, 0.1, 0.01),
    ("toxic-spans", "no_toxic_span"): (0.7, 0.5, 0.2, 0.05, 0),
    ("toxigen-demos", "hate"): (1, 0.98, 0.9, 0.35, 0.03),
    ("toxigen-demos", "neutral"): (0.1, 0.06, 0.02, 0, 0),
}
# A request for something harmful, without the answer.
REQUEST = (1, 1, 0.85, 0.5, 0.1)
REQUESTS = ("advbench", "malicious-instruct", "tdc2023", "catqa")
# What catqa asks under these headings is mostly no harm to web text.
MILD_REQUESTS = {
    "Tailored Financial Advice": (0.4, 0.25, 0.05, 0.01, 0),
    "Political Campaigning": (0.7, 0.45, 0.2, 0.05, 0.01),
    "Adult Content": (1, 0.97, 0.75, 0.3, 0.05),
}
# (score of the source, P) where P(level >= k) bends; the first three by toxicity, the fourth by severe toxicity.
TOXICITY = (
    ((0, 0.3, 0.6, 0.9), (0.02, 0.3, 0.9, 1)),
    ((0.2, 0.6, 0.9), (0.03, 0.6, 0.95)),
    ((0.3, 0.7, 0.9, 1), (0.02, 0.3, 0.6, 0.85)),
)
SEVERE = ((0.3, 0.6, 0.95), (0.01, 0.25, 0.65))
HIGHEST_OF_SEVERE = 0.06
# Chance that a text written for a level is also of the next one, and that it is not even of its own: a reader may well
# be one level off. It halves with each level further away.
UNSURE = 0.06
# Bands of the expected level, so that a source's rare classes can be drawn more often than they come.
BANDS = (("low", 0.6), ("middle", 2.3), ("high", 3.2), ("top", 5.1))


def soft_target(text: SourceText) -> np.ndarray:
    """(5,) P(level >= 1..5), never rising.

    Raises:
        UnlicensedSourceError: a source that is not in the licence table.
        KeyError: a class that its source is not known to have.
    """
    licence_of(text.source)
    if text.score is not None:
        away = np.abs(np.arange(1, 6) - text.score - 0.5) - 0.5
        return np.where(text.score >= np.arange(1, 6), 1 - UNSURE / 2**away, UNSURE / 2**away)
    if text.source == "davidson":
        return np.array(text.votes) / sum(text.votes) @ VOTES
    if text.source == "edos":
        return np.array(SEXISM[text.label if text.label == "none" else text.label[:3]], float)
    if text.source in REQUESTS:
        return np.array(MILD_REQUESTS.get(text.category.split("/")[0], REQUEST), float)
    if text.source in ("rtp-2400", "perspective-wiki2k"):
        reached = [np.interp(text.toxicity, *bends) for bends in TOXICITY]
        clear = [np.interp(text.severe, *SEVERE), HIGHEST_OF_SEVERE * text.severe]
        return np.minimum.accumulate([*reached, *clear])
    return np.array(CLASSES[text.source, text.label], float)


def band_of(target: np.ndarray) -> str:
    """Name of the band that the expected level of a target lies in."""
    return next(name for name, below in BANDS if target.sum() < below)


def bucket_of(text: SourceText) -> str:
    """The group of texts that are drawn together: the project's own, or a source and within it a class or a band."""
    if text.score is not None:
        return "own"
    if text.source == "edos":
        return f"edos:{text.label.split('.')[0]}"
    return f"{text.source}:{band_of(soft_target(text))}"
