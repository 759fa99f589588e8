"""Which file is behind a partition key: found shards are registered in the lake, whatever source they came from.

A partition stays readable when the configured source changes, since its row names the source it was found in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from resources.lake import Lake, Provenance
from resources.shard_source import SAMPLE, Shard, ShardSourceError, ShardSourceResource
from resources.shard_sources.shard import redacted
from safety_assets.sample_data.sample import build_sample

__all__ = [
    "RegisteredShard",
    "fetched",
    "list_source",
    "register_shards",
    "registered_shard",
    "registered_shards",
]

ASSET = "shards"


@dataclass(frozen=True)
class RegisteredShard:
    """A shard and the source that can fetch it."""

    shard: Shard
    source: str
    source_revision: str | None


def list_source(source: ShardSourceResource) -> list[Shard]:
    """The shards of the configured source; the packaged sample is built first where it is asked for.

    Raises:
        ShardSourceError: the source cannot be reached, or holds no shard.
    """
    if source.source == SAMPLE:
        build_sample(Path(str(source.sample_folder)))
    return source.list_shards()


@contextmanager
def fetched(entry: RegisteredShard, source: ShardSourceResource) -> Iterator[Path]:
    """A local file with the shard's content, from the source that it was found in.

    A download is deleted once the block ends well: thousands of shards would fill the disk. After a failure it stays,
    so that the next try does not begin anew. A file that was local from the start is left alone.

    Raises:
        ShardSourceError: the file is gone, changed, or cannot be downloaded.
    """
    if entry.source == SAMPLE:
        build_sample(Path(str(source.sample_folder)))
    cache = Path(source.cache_dir).expanduser().resolve()
    path = source.at(entry.source, entry.source_revision).fetch(entry.shard)
    yield path
    if cache in path.resolve().parents:
        path.resolve().unlink(missing_ok=True)


def register_shards(
    lake: Lake, source: str, source_revision: str | None, shards: Sequence[Shard], run_id: str
) -> list[str]:
    """Remember the shards of a source; returns their partition keys, in the given order.

    A shard that changed since is registered anew under its key. A key that another file holds already gets a
    short digest, so that two sources never share a partition.

    Raises:
        ShardSourceError: the source's address holds credentials.
    """
    if _holds_credentials(source):
        raise ShardSourceError(
            f"The source {redacted(source)} holds credentials, which would be stored: give them to the object store's "
            "client by its own environment variables or configuration instead."
        )
    known = registered_shards(lake)
    keys = []
    for shard in shards:
        entry = RegisteredShard(shard, source, source_revision)
        holder = known.get(shard.key)
        if holder is not None and _place(holder) != _place(entry):
            digest = hashlib.sha256(f"{source}\x1f{shard.uri}".encode()).hexdigest()[:8]
            entry = replace(entry, shard=replace(shard, key=f"{shard.key}-{digest}"))
        key = entry.shard.key
        if known.get(key) != entry:
            lake.replace_partition("shards", [_row(entry)], Provenance(ASSET, key, run_id))
        keys.append(key)
    return keys


def registered_shards(lake: Lake) -> dict[str, RegisteredShard]:
    """Every registered shard by its key."""
    return {row["shard"]: _entry(row) for row in lake.rows("registered_shards")}


def registered_shard(lake: Lake, key: str) -> RegisteredShard:
    """The shard of a partition key.

    Raises:
        ShardSourceError: no source has been seen to hold it.
    """
    found = registered_shards(lake).get(key)
    if found is None:
        raise ShardSourceError(
            f"No file is registered for partition {key}: start the new_shards sensor, or run make run with its SOURCE."
        )
    return found


def _place(entry: RegisteredShard) -> tuple[str, str]:
    # A Hub address names the commit; another commit of the same file is the same shard, changed.
    return entry.source, re.sub(r"@[0-9a-f]{40}", "", entry.shard.uri)


def _holds_credentials(source: str) -> bool:
    """User and password, or a query such as a signed address has one."""
    parts = urlsplit(source) if "://" in source else urlsplit("")
    return bool(parts.username or parts.password or parts.query)


def _entry(row: dict) -> RegisteredShard:
    shard = Shard(row["shard"], row["uri"], row["bytes"], row["revision"])
    return RegisteredShard(shard, row["source"], row["source_revision"])


def _row(entry: RegisteredShard) -> pa.RecordBatch:
    shard = entry.shard
    return pa.RecordBatch.from_pylist(
        [
            {
                "shard": shard.key,
                "source": entry.source,
                "source_revision": entry.source_revision,
                "uri": shard.uri,
                "bytes": shard.bytes,
                "revision": shard.revision,
                "registered_at": datetime.now(UTC),
            }
        ]
    )
