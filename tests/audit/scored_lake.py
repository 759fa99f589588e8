"""Scored documents of a made-up corpus in a lake, sharded as one likes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from resources.lake import Lake, Provenance
from safety_assets.batches import record_batches

__all__ = ["SCORER", "Scored", "corpus", "write_scored"]

SCORER = "head@1"


@dataclass(frozen=True)
class Scored:
    """A document with its score (None: not scored), its crawl dump and the classifier that scored it; its text may be a
    copy of another's."""

    number: int
    score: int | None
    dump: str | None = "dump-a"
    scorer: str = SCORER
    copy_of: int | None = None

    @property
    def text(self) -> str:
        number = self.number if self.copy_of is None else self.copy_of
        return f"Page {number} tells of its day."


def corpus(*sizes: tuple[int | None, str | None, int]) -> list[Scored]:
    """Documents from (score, dump, how many)."""
    kinds = [(score, dump) for score, dump, count in sizes for _ in range(count)]
    return [Scored(number, score, dump) for number, (score, dump) in enumerate(kinds)]


def write_scored(lake: Lake, documents: Sequence[Scored], shards: int = 1) -> list[str]:
    """Write documents and scores in so many shards, in turn; gives the shards' keys."""
    keys = [f"s{shard}of{shards}" for shard in range(shards)]
    for shard, key in enumerate(keys):
        rows = [_rows(key, one) for one in documents[shard::shards]]
        for table, of_table in zip(("fineweb", "scored_fineweb"), zip(*rows, strict=True), strict=True):
            lake.replace_partition(
                table, record_batches(of_table, lake.schema(table)), Provenance("test", key, "run")
            )
    return keys


def _rows(shard: str, one: Scored) -> tuple[dict, dict]:
    digest = hashlib.sha256(one.text.encode()).hexdigest()
    shared = {"shard": shard, "document_id": f"d{one.number}", "text_hash": digest}
    state = "scored" if one.score is not None else "parse_failed"
    document = {"row_number": one.number, "text": one.text, "dump": one.dump}
    scores = {
        "tokens": 7, "safety_score": one.score, "state": state, "category": "none", "embedding_score": one.score,
        "embedding_state": state, "embedding_version": f"{one.scorer} encoder r1", "llm_score": one.score,
        "llm_state": state, "llm_version": "tiny r1 rubric@1",
    }  # fmt: skip
    return shared | document, shared | scores
