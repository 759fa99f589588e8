"""What the packaged head is calibrated and measured on. None of it trains a weight."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_assets.sample_data.sample import Split, load_seeds
from safety_assets.scoring.building.harm_names import project_category
from safety_assets.scoring.building.sources import ORACLE_FILE, SourceText

__all__ = ["Examination", "LabelledText", "read_examination"]

# Every so manieth of the texts held back, by source; the small sources whole.
HELD_BACK_STEP, SMALL_SOURCE = 3, 200
PROMPTS = ("do-not-answer", "med-safety-bench")


@dataclass(frozen=True)
class LabelledText:
    """A text with its level 0-5, its category in the project's words, and where it comes from."""

    text: str
    score: int
    category: str
    source: str


@dataclass(frozen=True)
class Examination:
    """``oracle``: web texts read and labelled. ``seeds``: the project's, of the test split. The pages and prompts are
    harmless by source, not by inspection; ``requests`` are harmful by source."""

    oracle: tuple[LabelledText, ...]
    seeds: tuple[LabelledText, ...]
    benign: tuple[LabelledText, ...]
    health: tuple[LabelledText, ...]
    prompts: tuple[LabelledText, ...]
    requests: tuple[LabelledText, ...]
    held_back: tuple[SourceText, ...]


def read_examination(folder: Path, held_back: Iterable[SourceText]) -> Examination:
    """Read what is not for training from a data folder.

    Raises:
        FileNotFoundError: the folder lacks a file.
    """
    oracle = tuple(
        LabelledText(row["text"], row["score"], project_category(row["category"]), row["source"])
        for row in _rows(folder / ORACLE_FILE)
    )
    # Some harmless pages were read by the oracle; they count there only.
    read = {item.text[:200] for item in oracle}
    requests = _harmless(folder / "harmful_requests.jsonl", read)
    return Examination(
        oracle=oracle,
        seeds=tuple(
            LabelledText(seed.text, seed.score, seed.category.value, "seeds")
            for seed in load_seeds()
            if seed.split is Split.TEST
        ),
        benign=tuple(_harmless(folder / "benign_docs.jsonl", read)),
        health=tuple(_harmless(folder / "benign_sensitive_health.jsonl", read)),
        prompts=tuple(_harmless(folder / "benign_prompts_overrefusal.jsonl", read)),
        requests=tuple(item for item in requests if item.source in PROMPTS),
        held_back=tuple(_thinned(list(held_back))),
    )


def _harmless(path: Path, without: set[str]) -> Iterator[LabelledText]:
    for row in _rows(path):
        if row["text"][:200] not in without:
            yield LabelledText(row["text"], 0, "none", row["source"])


def _thinned(texts: list[SourceText]) -> Iterator[SourceText]:
    for source in sorted({text.source for text in texts}):
        own = [text for text in texts if text.source == source]
        yield from own if len(own) <= SMALL_SOURCE else own[::HELD_BACK_STEP]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
