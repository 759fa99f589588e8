"""General corpora beside the web: FineWeb-Edu, code, mathematics, Cosmopedia, in any shard source's form.

They are read as they are, validated as documents but not scored; a recipe gives each its share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from resources.shard_source import open_source
from safety_assets.corpus.documents import read_documents
from safety_assets.mixtures.recipes import MixtureError

__all__ = ["GeneralCorpora"]

# (shard, document id, hash of the text, text)
GeneralText = tuple[str, str, str, str]


class GeneralCorpora:
    """General corpora by name. Shards are fetched when they are first read."""

    def __init__(self, sources: Mapping[str, str], cache: Path) -> None:
        self._sources, self._cache = dict(sources), cache

    def batches(self, name: str, order: str) -> Iterator[list[GeneralText]]:
        """Documents of a corpus: shards in an order that ``order`` decides, documents as they lie in their shard.

        Raises:
            MixtureError: no corpus of that name.
            ShardSourceError: it cannot be opened.
        """
        if name not in self._sources:
            raise MixtureError(f"There is no general corpus {name}: name its source under mixture.general.")
        source = open_source(self._sources[name])
        shards = sorted(
            source.list_shards(), key=lambda shard: hashlib.sha256(f"{order} {shard.key}".encode()).digest()
        )
        for shard in shards:
            path = source.fetch(shard, self._cache / "general" / name)
            for batch in read_documents(path, shard.key):
                rows = batch.documents.to_pylist()
                yield [(shard.key, row["document_id"], row["text_hash"], row["text"]) for row in rows]
