"""``python -m safety_assets.scoring.building --data ../shared/data``: make the packaged head again, and measure it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from resources.encoder import open_encoder
from resources.model_store import resolve_model
from resources.profile import load_profile, safety_home
from safety_assets.scoring.building.build import BuildSettings, examine, train_head, with_operating_point
from safety_assets.scoring.building.examination import read_examination
from safety_assets.scoring.building.lexical import fit_lexical
from safety_assets.scoring.building.measures import measure
from safety_assets.scoring.building.sources import read_sources
from safety_assets.scoring.building.statistics import table
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.packaged import HEAD
from safety_assets.scoring.reading import DocumentReader


def main(arguments: list[str] | None = None) -> int:
    """Train, calibrate, write, measure; the table of measures goes to the terminal."""
    chosen = _parser().parse_args(arguments)
    settings = BuildSettings()
    settings = replace(settings, windows=chosen.windows or settings.windows, seed=chosen.seed)
    profile, cache = load_profile("embedded").encoder, safety_home() / "models"
    folder = resolve_model(profile.model, cache=cache).folder
    encoder = open_encoder(profile, cache)
    sources = read_sources(chosen.data)
    examination = read_examination(chosen.data, sources.held_back)
    if chosen.measure:
        classifier = SafetyClassifier.from_bytes(chosen.out.read_bytes())
    elif chosen.keep_adapters:
        kept = SafetyClassifier.from_bytes(chosen.out.read_bytes())
        lexical = fit_lexical(sources.train)
        classifier = replace(
            kept,
            lexical=lexical,
            lexical_weight=settings.lexical_weight,
            margin=settings.margin,
            discount=settings.discount,
        )
    else:
        classifier = train_head(sources, folder, settings, _say)
    logits = examine(classifier, encoder, examination)
    if not chosen.measure:
        classifier = with_operating_point(classifier, logits, examination)
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_bytes(classifier.to_bytes())
        _say(f"{classifier.version}: {chosen.out.stat().st_size:,} bytes")
    _say(table(measure(classifier, DocumentReader(encoder, classifier), logits, examination)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m safety_assets.scoring.building", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data; see its README")
    parser.add_argument("--out", type=Path, default=HEAD, help="where to write the head")
    parser.add_argument("--windows", type=int, help="train on so many windows, for a trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep-adapters",
        action="store_true",
        help="of the head at --out; learn only words and the operating point again",
    )
    parser.add_argument("--measure", action="store_true", help="train nothing: measure the head at --out")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
