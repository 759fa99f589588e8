"""The texts of each slice, out of the lake: once each, in an order that only their own hashes decide.

Neither shards nor the order of rows have a say, so a mixture is the same however the corpus is cut up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from resources.lake import Lake, PartitionVersion
from safety_assets.harms import HarmCategory
from safety_assets.marking.reflections import ReflectedSegment, Verdict
from safety_assets.mixtures.general import GeneralCorpora
from safety_assets.mixtures.pack import Source
from safety_assets.mixtures.recipes import GENERAL_PREFIX
from safety_assets.rendering import formats
from safety_assets.rendering.pieces import Piece

__all__ = ["TABLES", "LakeTexts", "SourceText", "Texts"]

# Which tables a slice reads; the first named is the one that marks its data set.
TABLES = {
    "web": ("fineweb",),
    "safe_web": ("fineweb", "scored_fineweb"),
    "rephrased": ("safeweb",),
    "refusals": ("refuseweb",),
    "moral_education": ("moral_education", "refuseweb"),
    "tagged_web": ("fineweb", "tagged_corpus"),
    "reflected_web": ("fineweb", "reflected_corpus"),
}
# Rows that stream together: enough to fill the tokenizer's threads.
BATCH_ROWS = 128


@dataclass(frozen=True)
class SourceText:
    """One text of a slice: what it comes from, and what it is made of."""

    source: Source
    pieces: list[Piece]


class Texts(Protocol):
    """All texts of a slice in the order of an epoch."""

    def texts(self, slice_name: str, epoch: int) -> Iterator[list[SourceText]]: ...


class LakeTexts:
    """Texts of the lake's tables at fixed versions, and of general corpora."""

    def __init__(
        self,
        lake: Lake,
        shards: Sequence[str],
        versions: Mapping[str, PartitionVersion],
        general: GeneralCorpora,
        seed: int,
    ) -> None:
        self._lake, self._shards, self._versions = lake, list(shards), versions
        self._general, self._seed = general, seed

    def texts(self, slice_name: str, epoch: int) -> Iterator[list[SourceText]]:
        """Batches of texts, every text once.

        Raises:
            LakeError: the lake cannot be read.
        """
        if slice_name.startswith(GENERAL_PREFIX):
            yield from self._general_texts(slice_name.removeprefix(GENERAL_PREFIX), epoch)
            return
        parameters = {"shards": self._shards, "order": f"{self._seed} {epoch} "}
        versions = {table: self._versions[table] for table in TABLES[slice_name]}
        pieces = _PIECES.get(slice_name, _plain)
        with self._lake.report(
            f"mixture_{slice_name}", parameters, versions=versions, batch_rows=BATCH_ROWS
        ) as reader:
            for batch in reader:
                yield [SourceText(_source(row), pieces(row, self._seed)) for row in batch.to_pylist()]

    def _general_texts(self, name: str, epoch: int) -> Iterator[list[SourceText]]:
        for batch in self._general.batches(name, f"{self._seed} {epoch}"):
            yield [
                SourceText(Source(GENERAL_PREFIX + name, shard, ident, digest), formats.plain(text))
                for shard, ident, digest, text in batch
            ]


def _source(row: Mapping[str, Any]) -> Source:
    return Source(row["dataset"], row["source_shard"], row["document_id"], row["text_hash"])


def _plain(row: Mapping[str, Any], _seed: int) -> list[Piece]:
    return formats.plain(row["text"])


def _dialogue(row: Mapping[str, Any], seed: int) -> list[Piece]:
    turns = [(turn["role"], turn["content"]) for turn in row["turns"]]
    return formats.dialogue(turns, key=row["text_hash"], seed=seed)


def _tagged(row: Mapping[str, Any], _seed: int) -> list[Piece]:
    return formats.tagged(row["text"], row["positions"])


def _reflected(row: Mapping[str, Any], _seed: int) -> list[Piece]:
    segments = [
        ReflectedSegment(
            segment["char_start"],
            segment["char_end"],
            Verdict(segment["verdict"]),
            HarmCategory(segment["category"]),
        )
        for segment in row["segments"]
    ]
    return formats.reflected(row["text"], segments)


_PIECES: dict[str, Callable[[Mapping[str, Any], int], list[Piece]]] = {
    "refusals": _dialogue,
    "tagged_web": _tagged,
    "reflected_web": _reflected,
}
