"""The texts that the packaged head is trained on, each under a licence that allows it.

A source that is not in the table is refused, whatever file it stands in. Of every public source, and of the texts that
were written for this (``texts/``), 15 % are held back by a hash of the text; texts that an oracle labelled are left out
whole. Neither ever trains.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_assets.sample_data.sample import Split, load_seeds

__all__ = [
    "LICENCES",
    "OWN_SOURCES",
    "PERMISSIVE",
    "WRITTEN",
    "SourceText",
    "Sources",
    "UnlicensedSourceError",
    "licence_of",
    "public_texts",
    "read_sources",
    "seeds_and_chats",
    "share",
    "written_texts",
]

OWN = "this project"
PERMISSIVE = ("MIT", "CC0-1.0", "Apache-2.0", OWN)
HERE = Path(__file__).parent
TEXTS = HERE / "texts"
# What was written to train this classifier, by what it is about: labelled texts in the registers and on the subjects that
# public sources lack, with harmless twins.
WRITTEN = tuple(sorted(path.stem for path in TEXTS.glob("*.jsonl")))
# Source -> the licence that its texts and labels come under, as far as the data's README states it.
LICENCES = {
    "davidson": "MIT",
    "edos": "CC0-1.0",
    "toxic-spans": "CC0-1.0",
    "rtp-2400": "Apache-2.0",
    "perspective-wiki2k": "Apache-2.0",
    "toxigen-demos": "MIT",
    "advbench": "MIT",
    "malicious-instruct": "MIT",
    "tdc2023": "MIT",
    "catqa": "Apache-2.0",
    "seeds": OWN,
    "chats": OWN,
    **dict.fromkeys(WRITTEN, OWN),
}
OWN_SOURCES = tuple(name for name, licence in LICENCES.items() if licence == OWN)
FILES = ("toxicity.jsonl", "harmful_requests.jsonl")
ORACLE_FILE = "oracle_annotations.jsonl"
HELD_BACK = 0.15
SHORTEST_CHARS = 3
CHATS = HERE.parent.parent / "training" / "chats" / "helpful.jsonl"

_MENTIONS = re.compile(r"\bRT\b:?|@\w+:?|https?://\S+|\[USER\]|\[URL\]")
_PICTURES = re.compile("[\U0001f000-\U0001ffff\u2600-\u27bf\ufe0f]")
_NOT_WORDS = re.compile(r"\W+")


class UnlicensedSourceError(ValueError):
    """A source whose texts may not train weights that the project ships."""


@dataclass(frozen=True)
class SourceText:
    """A text with what its source says of it; only what the source has is set.

    Attributes:
        label: the source's own class.
        score: level 0-5, of the project's own texts.
        votes: annotators per class.
        toxicity: 0-1, as are ``severe``.
        category: the source's own name of the harm.
    """

    source: str
    text: str
    label: str = ""
    score: int | None = None
    votes: tuple[int, ...] = ()
    toxicity: float = 0.0
    severe: float = 0.0
    category: str = ""


@dataclass(frozen=True)
class Sources:
    """``train`` may train weights; ``held_back`` measures them."""

    train: tuple[SourceText, ...]
    held_back: tuple[SourceText, ...]


def licence_of(source: str) -> str:
    """The licence of a source.

    Raises:
        UnlicensedSourceError: it is not in the table, or its licence is not permissive.
    """
    licence = LICENCES.get(source)
    if licence not in PERMISSIVE:
        raise UnlicensedSourceError(
            f"The source {source!r} has no permissive licence in the table: it may be evaluated on, but trains nothing."
        )
    return licence


def read_sources(folder: Path) -> Sources:
    """The public sources of a data folder and the project's own texts.

    Raises:
        FileNotFoundError: the folder lacks a file.
    """
    never = {_key(row["text"]) for row in _rows(folder / ORACLE_FILE)}
    train, held_back = list(seeds_and_chats()), []
    public = public_texts(folder, [name for name in LICENCES if name not in OWN_SOURCES])
    for text, as_written in (*written_texts(), *public):
        if _key(as_written) not in never and len(text.text) >= SHORTEST_CHARS:
            (held_back if share(as_written) < HELD_BACK else train).append(text)
    return Sources(tuple(train), tuple(held_back))


def public_texts(folder: Path, names: Iterable[str]) -> Iterator[tuple[SourceText, str]]:
    """Texts of the named sources, tidied, each with the text as it was written.

    Raises:
        UnlicensedSourceError: a name that is not in the table.
    """
    wanted = {name for name in names if licence_of(name)}
    for file in FILES:
        for row in _rows(folder / file):
            if row["source"] in wanted:
                yield _source_text(row), row["text"]


def seeds_and_chats() -> Iterator[SourceText]:
    """The packaged seeds that are for training (the others calibrate and test whatever is made of this head), and harmless
    chats."""
    for seed in load_seeds():
        if seed.split is Split.TRAIN:
            yield SourceText("seeds", seed.text, score=seed.score, category=seed.category.value)
    for row in _rows(CHATS):
        for message in row["messages"]:
            if message["role"] != "system":
                yield SourceText("chats", message["content"], score=0, category="none")


def written_texts() -> Iterator[tuple[SourceText, str]]:
    """What was written to train on, each with the text as it was written."""
    for name in WRITTEN:
        for row in _rows(TEXTS / f"{name}.jsonl"):
            yield SourceText(name, row["text"], score=row["score"], category=row["category"]), row["text"]


def _source_text(row: dict[str, Any]) -> SourceText:
    return SourceText(
        source=row["source"],
        text=tidy(row["text"]),
        label=row["vector"] if row["source"] == "edos" else row.get("label", ""),
        votes=tuple(row.get("votes", ())),
        toxicity=row.get("toxicity", 0.0),
        severe=row.get("severe", 0.0),
        category=row.get("category", ""),
    )


def tidy(text: str) -> str:
    """Without what marks a post as a post: mentions, links, hash signs, pictures, character references."""
    text = html.unescape(html.unescape(text))
    text = _PICTURES.sub(" ", _MENTIONS.sub(" ", text)).replace("#", "")
    return " ".join(text.split()).strip(' "!:')


def _key(text: str) -> str:
    return _NOT_WORDS.sub(" ", text.lower()).strip()


def share(text: str) -> float:
    """Where a text's hash lies in 0-1; case and punctuation do not count."""
    return int(hashlib.sha1(_key(text).encode()).hexdigest()[:8], 16) / 2**32


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
