"""Labels that are there already, as annotations: the packaged seeds, or a file of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resources.lake import UNPARTITIONED
from safety_assets.corpus.identity import text_hash
from safety_assets.harms import HarmCategory, ScoreState
from safety_assets.label_lines import LabelLineError, label_level, label_lines
from safety_assets.sample_data.sample import load_seeds

__all__ = ["SEED_LABELLER", "AnnotationFileError", "file_rows", "seed_rows", "split_of"]

SEED_LABELLER = "packaged-seeds"
# Raised when a packaged label changes.
SEED_VERSION = "1"
# Of ten labelled texts, six train, two calibrate and two test.
SPLITS = ("train",) * 6 + ("calibration",) * 2 + ("test",) * 2


class AnnotationFileError(Exception):
    """A file of labels that cannot be used."""


def split_of(key: str) -> str:
    """The split of a text without one, by the hexadecimal hash of the text."""
    return SPLITS[int(key, 16) % len(SPLITS)]


def file_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of ``safety_annotations`` from JSON Lines with ``text``, ``score`` 0-5, ``category`` and perhaps ``split``.

    A line whose score is null is not labelled yet, and gives none.

    Raises:
        AnnotationFileError: no such file, or a line that is no label; its number is named, its text is not.
    """
    if not path.is_file():
        raise AnnotationFileError(
            f"There is no annotation file {path}: give seeds, oracle, or a .jsonl file."
        )

    def row(record: Mapping[str, Any]) -> dict[str, Any] | None:
        text, score = record["text"], label_level(record["score"])
        if score is None:
            return None
        if not isinstance(text, str):
            raise TypeError
        key, category = text_hash(text), HarmCategory(record["category"])
        return _row(key, text, score, category, record.get("split") or split_of(key), path.name, "file")

    with path.open("rb") as lines:
        try:
            yield from filter(None, label_lines(lines, row))
        except LabelLineError as error:
            raise AnnotationFileError(
                f"Line {error.number} of {path.name} is no label: it takes text, score (0-5) and a known category."
            ) from None


def _row(
    key: str, text: str, score: int, category: HarmCategory, split: str, labeller: str, version: str
) -> dict[str, Any]:
    return {
        "shard": UNPARTITIONED,
        "annotation_id": key,
        "text": text,
        "text_hash": text_hash(text),
        "score": score,
        "category": category.value,
        "split": split,
        "state": ScoreState.SCORED.value,
        "labeller": labeller,
        "labeller_version": version,
    }


def seed_rows() -> Iterator[dict[str, Any]]:
    """Rows of ``safety_annotations``, one for each packaged seed."""
    for seed in load_seeds():
        yield _row(
            seed.id, seed.text, seed.score, seed.category, seed.split.value, SEED_LABELLER, SEED_VERSION
        )
