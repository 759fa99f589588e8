"""A linear model of the category over the features of an adapted encoder."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from resources.encoder import TextEncoder
from safety_assets.scoring.building.compose import with_context
from safety_assets.scoring.building.harm_names import CATEGORIES, category_of
from safety_assets.scoring.building.sources import SourceText
from safety_assets.scoring.weights import Linear, fit_linear

__all__ = ["fit_categories"]

STRENGTH = 3.0
# At most so many texts of one source and category: thousands of posts would drown the project's own texts.
MOST_OF_A_KIND = 250
# Texts of the project's own are drawn so often, each time in other surroundings.
OWN_COPIES = 3


def fit_categories(
    texts: Iterable[SourceText], context: list[str], encoder: TextEncoder, seed: int
) -> Linear:
    """(15, features) over the features of an adapted encoder; each text once alone, the project's also in context.

    Raises:
        ValueError: a category without a text.
    """
    rng = random.Random(seed)
    pieces, names = [], []
    for name, text in _chosen(texts, rng):
        copies = OWN_COPIES if text.score is not None else 1
        pieces += [text.text, *(with_context(text.text, context, rng) for _ in range(copies))]
        names += [name] * (copies + 1)
    if missing := set(CATEGORIES) - set(names):
        raise ValueError(f"No text of the categories {', '.join(sorted(missing))}")
    encoded = encoder.encode(pieces)
    # A text of several windows is known by its first.
    first = np.searchsorted(encoded.document, np.arange(len(pieces)))
    counts = Counter(names)
    # Half way between every text and every category counting alike.
    weights = np.array([(len(names) / len(counts) / counts[name]) ** 0.5 for name in names])
    order = np.array([CATEGORIES.index(name) for name in names])
    linear, _ = fit_linear(encoded.embeddings[first], order, strength=STRENGTH, weights=weights)
    return linear


def _chosen(texts: Iterable[SourceText], rng: random.Random) -> list[tuple[str, SourceText]]:
    kinds: dict[tuple[str, str], list[SourceText]] = defaultdict(list)
    for text in texts:
        if name := category_of(text):
            kinds[text.source, name].append(text)
    return [
        (name, text)
        for (source, name), found in sorted(kinds.items())
        for text in (
            found if source in ("seeds", "contrasts") else rng.sample(found, min(len(found), MOST_OF_A_KIND))
        )
    ]
