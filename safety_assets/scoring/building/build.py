"""From sources to a finished head: adapters and ordinal head, words, categories, and then the operating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from resources.encoder import TextEncoder
from safety_assets.scoring.building.adapters import AdaptedNetwork, AdapterSettings
from safety_assets.scoring.building.compose import Composer, Window
from safety_assets.scoring.building.examination import Examination, LabelledText
from safety_assets.scoring.building.harm_names import CATEGORIES
from safety_assets.scoring.building.lexical import fit_lexical
from safety_assets.scoring.building.sources import LICENCES, Sources
from safety_assets.scoring.building.training import train_network
from safety_assets.scoring.calibration import BENIGN_CAPS, Calibration, fit_calibration, fit_thresholds
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.reading import DocumentReader

__all__ = [
    "BuildSettings",
    "Logits",
    "examine",
    "operating_point",
    "sources_table",
    "train_head",
    "with_operating_point",
]

NAME = "minilm"
NEUTRAL = Calibration(np.ones(5), np.zeros(5))
# Largest shares of general harmless pages that may be given a level or above. Health pages raise far fewer alarms:
# with them, a tenth of all harmless pages may be given 1 or above and a twentieth 2, as in ``calibration.py``; the
# levels above are as strict on general pages alone.
PAGE_CAPS = {**BENIGN_CAPS, 1: 0.15, 2: 0.07}
# Texts read at one time.
TOGETHER = 256


@dataclass(frozen=True)
class BuildSettings:
    """How much to train on; the defaults made the packaged head."""

    windows: int = 44_000
    lexical_weight: float = 0.25
    window_tokens: int = 128
    margin: float = 1.0
    discount: float = 0.15
    seed: int = 0
    adapter: AdapterSettings = field(default_factory=AdapterSettings)


@dataclass(frozen=True)
class Logits:
    """(n, 5) log-odds before calibration of each part of an examination, in its order."""

    oracle: np.ndarray
    seeds: np.ndarray
    benign: np.ndarray
    health: np.ndarray
    prompts: np.ndarray
    requests: np.ndarray
    held_back: np.ndarray


def train_head(
    sources: Sources,
    folder: Path,
    settings: BuildSettings,
    say: Callable[[str], None] = print,
) -> SafetyClassifier:
    """A head without calibration and thresholds.

    Args:
        folder: of the encoder's model.
    """
    composer = Composer(sources.train)
    say(f"{len(sources.train)} texts, {len(composer.context)} of them context; {settings.windows} windows")
    network = AdaptedNetwork(folder, settings.adapter, settings.seed)
    windows = composer.windows(settings.windows, settings.seed + 1)
    say(sources_table(sources, windows))
    train_network(network, windows, settings.adapter, folder=folder, seed=settings.seed, say=say)
    lexical = fit_lexical(sources.train)
    say("words fitted")
    head, category = network.linear()
    return SafetyClassifier(
        head=head,
        lexical=lexical,
        lexical_weight=settings.lexical_weight,
        category=category,
        categories=CATEGORIES,
        calibration=NEUTRAL,
        thresholds={},
        window_tokens=settings.window_tokens,
        margin=settings.margin,
        discount=settings.discount,
        adapter=network.adapter(),
    )


def sources_table(sources: Sources, windows: Sequence[Window]) -> str:
    """What each source gives, as a Markdown table: texts that train, texts held back, and windows, with repeats."""
    train, held_back, drawn = (
        Counter(text.source for text in texts)
        for texts in (sources.train, sources.held_back, [window.source for window in windows])
    )
    lines = ["| source | licence | texts | held back | windows |", "|---|---|---|---|---|"]
    for name, licence in LICENCES.items():
        lines.append(f"| {name} | {licence} | {train[name]:,} | {held_back[name]:,} | {drawn[name]:,} |")
    return "\n".join(lines)


def examine(classifier: SafetyClassifier, encoder: TextEncoder, examination: Examination) -> Logits:
    """Read everything in an examination with a head as it will be stored."""
    stored = SafetyClassifier.from_bytes(classifier.to_bytes())
    reader = DocumentReader(encoder, stored)

    def logits(items: tuple[LabelledText, ...]) -> np.ndarray:
        texts = [item.text for item in items]
        return np.vstack(
            [
                reader.document_logits(texts[start : start + TOGETHER])
                for start in range(0, len(texts), TOGETHER)
            ]
        )

    return Logits(
        oracle=logits(examination.oracle),
        seeds=logits(examination.seeds),
        benign=logits(examination.benign),
        health=logits(examination.health),
        prompts=logits(examination.prompts),
        requests=logits(examination.requests),
        held_back=logits(examination.held_back),
    )


def with_operating_point(
    classifier: SafetyClassifier, logits: Logits, examination: Examination
) -> SafetyClassifier:
    """The head with calibration and thresholds, and its version."""
    scores = np.array([item.score for item in examination.oracle])
    calibration, thresholds = operating_point(logits.oracle, scores, logits.benign)
    return replace(classifier, calibration=calibration, thresholds=thresholds).identified(NAME)


def operating_point(
    logits: np.ndarray, scores: np.ndarray, pages: np.ndarray
) -> tuple[Calibration, dict[int, float]]:
    """Calibration and thresholds from the oracle's labels, within the caps: fifteen numbers, no weights.

    Args:
        logits: (n, 5) of texts that the oracle labelled.
        scores: (n,) their levels.
        pages: (m, 5) of general harmless pages.
    """
    calibration = fit_calibration(logits, scores)
    thresholds = fit_thresholds(
        calibration.probabilities(logits),
        scores,
        benign=calibration.probabilities(pages),
        benign_caps=PAGE_CAPS,
    )
    return calibration, thresholds
