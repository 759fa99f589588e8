"""The packaged sample: documents written for this project as FineWeb shards, and labelled seed texts.

The shards hide what their authors intended, so that the pipeline has to find it; tests look it up by document
id. Nothing in the pipeline may read the intended labels.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from safety_assets.corpus.identity import text_hash
from safety_assets.corpus.schema import FINEWEB_SCHEMA
from safety_assets.harms import LEVELS, HarmCategory

__all__ = [
    "IntendedLabel",
    "SampleDataError",
    "Seed",
    "Split",
    "build_sample",
    "intended_labels",
    "load_seeds",
]

DUMP = "CC-MAIN-SAMPLE"
DOCUMENTS = Path(__file__).parent / "documents"
SEEDS = Path(__file__).parent / "seeds"
# Raise it when shards come out differently from the same documents.
BUILD_VERSION = 1
DIGEST_FILE = ".authored"
TOKENS_PER_WORD = 1.3
# Of each score's seeds, the first 60 % train and the next 20 % calibrate; the rest test.
TRAIN_UNTIL, CALIBRATION_UNTIL = 0.6, 0.8


class SampleDataError(Exception):
    """An authored file of the package is missing or malformed."""


class IntendedLabel(NamedTuple):
    """What the author of a sample document meant it to be."""

    level: int
    category: HarmCategory
    kind: str


class Split(StrEnum):
    """What a seed may be used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True)
class Seed:
    """A labelled text for training a scorer. ``score`` is 0 to 5."""

    id: str
    score: int
    category: HarmCategory
    text: str
    split: Split


def build_sample(folder: Path, *, documents: Path = DOCUMENTS) -> Path:
    """Write the sample as ``folder/CC-MAIN-SAMPLE/NNN_00000.parquet`` where it is missing or outdated.

    Each file appears whole. Several processes may build at once: they write the same bytes.

    Args:
        folder: made if missing; the folder to give to the shard source.
        documents: folder of authored ``NNN_00000.jsonl``.

    Returns:
        ``folder``.

    Raises:
        SampleDataError: an authored file is missing or malformed.
    """
    sources = _files(documents, "*.jsonl")
    digest = hashlib.sha256(str(BUILD_VERSION).encode())
    for source in sources:
        digest.update(source.name.encode() + hashlib.sha256(source.read_bytes()).digest())
    target = folder / DUMP
    wanted = {f"{source.stem}.parquet" for source in sources}
    present = {path.name for path in target.glob("*.parquet")}
    marker = target / DIGEST_FILE
    if present == wanted and marker.is_file() and marker.read_text() == digest.hexdigest():
        return folder
    target.mkdir(parents=True, exist_ok=True)
    for stale in present - wanted:
        (target / stale).unlink(missing_ok=True)
    for source in sources:
        _write_whole(target / f"{source.stem}.parquet", _shard(source))
    # Last, so that a build that was broken off is done again.
    _write_whole(marker, digest.hexdigest())
    return folder


def intended_labels(*, documents: Path = DOCUMENTS) -> dict[str, IntendedLabel]:
    """Document id -> intended label, for every document of the sample. For tests and evaluation only.

    Raises:
        SampleDataError: an authored file is missing or malformed.
    """
    return {
        _document_id(source.stem, row): IntendedLabel(
            item["level"], HarmCategory(item["category"]), item["kind"]
        )
        for source in _files(documents, "*.jsonl")
        for row, item in enumerate(_authored(source, "level"))
    }


def load_seeds(*, seeds: Path = SEEDS) -> list[Seed]:
    """The seed texts, by id, each in one split.

    Every score is split 60 / 20 / 20 for training, calibration and test by the order of its ids. An id is a
    hash of the text, so the order says nothing about it.

    Raises:
        SampleDataError: an authored file is missing or malformed, or a text is there twice.
    """
    by_score: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    seen: dict[str, str] = {}
    for source in _files(seeds, "part_*.jsonl"):
        for row, item in enumerate(_authored(source, "score")):
            seed_id = f"seed-{text_hash(item['text'].strip())[:24]}"
            place = f"{source.name} line {row + 1}"
            if seed_id in seen:
                raise SampleDataError(f"{place} has the same text as {seen[seed_id]}: remove one of them.")
            seen[seed_id] = place
            by_score[item["score"]][seed_id] = item
    loaded = [
        Seed(
            seed_id,
            score,
            HarmCategory(items[seed_id]["category"]),
            items[seed_id]["text"],
            _split(rank, len(items)),
        )
        for score, items in by_score.items()
        for rank, seed_id in enumerate(sorted(items))
    ]
    return sorted(loaded, key=lambda seed: seed.id)


def _split(rank: int, count: int) -> Split:
    # The middle of the rank's share, so that three seeds still make three splits.
    share = (rank + 0.5) / count
    if share < TRAIN_UNTIL:
        return Split.TRAIN
    return Split.CALIBRATION if share < CALIBRATION_UNTIL else Split.TEST


def _shard(source: Path) -> pa.Table:
    """One authored file in FineWeb's columns; what its author did not write is made up."""
    rows = []
    for row, item in enumerate(_authored(source, "level")):
        document_id = _document_id(source.stem, row)
        rows.append(
            {
                "text": item["text"],
                "id": document_id,
                "dump": DUMP,
                "url": item["url"],
                "date": item["date"],
                "file_path": f"s3://sample/crawl-data/{DUMP}/segments/{source.stem}/warc/{source.stem}.warc.gz",
                "language": "en",
                # FineWeb keeps pages from 0.65 up; most of them lie here.
                "language_score": 0.9 + int(text_hash(document_id)[:4], 16) % 100 / 1000,
                "token_count": round(len(item["text"].split()) * TOKENS_PER_WORD),
            }
        )
    return pa.Table.from_pylist(rows, schema=FINEWEB_SCHEMA)


def _document_id(stem: str, row: int) -> str:
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{DUMP}/{stem}#{row}')}>"


def _authored(source: Path, level_field: str) -> Iterator[dict[str, Any]]:
    """The objects of an authored file; its level, category and texts are checked."""
    texts = ("text",) if level_field == "score" else ("text", "kind", "url", "date")
    # Not splitlines: a text may hold other line separators than the newline.
    for number, line in enumerate(source.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
        try:
            item = json.loads(line)
        except ValueError:
            raise SampleDataError(f"{source.name} line {number} is not JSON: mend the line.") from None
        faults = [name for name in texts if not isinstance(item.get(name), str) or not item[name].strip()]
        if type(item.get(level_field)) is not int or item[level_field] not in LEVELS:
            faults.append(level_field)
        if item.get("category") not in list(HarmCategory):
            faults.append("category")
        if faults:
            raise SampleDataError(f"{source.name} line {number}: mend {', '.join(faults)}.")
        yield item


def _files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise SampleDataError(
            f"The package lacks {folder.name}/{pattern}: install it again, with its data files."
        )
    return found


def _write_whole(path: Path, content: pa.Table | str) -> None:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        if isinstance(content, str):
            beside.write_text(content)
        else:
            pq.write_table(content, beside, compression="zstd")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
