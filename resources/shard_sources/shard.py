"""What a shard is, what a source of shards promises, and how a file's path becomes a partition key.

Shared by every source. Nothing here opens a file or a connection.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from resources.errors import ResourceError

__all__ = [
    "SHARD_SUFFIXES",
    "InvalidShardKey",
    "Shard",
    "ShardSource",
    "ShardSourceError",
    "fingerprint",
    "holds_documents",
    "redacted",
    "shard_key",
    "shard_keys",
    "validate_shard_key",
]

# Longest first, so that a.jsonl.gz loses its whole suffix.
SHARD_SUFFIXES = (".jsonl.zst", ".jsonl.gz", ".json.gz", ".parquet", ".jsonl")
# A key is also a file name on common file systems (255 bytes), with room for a digest and a suffix.
MAX_KEY_CHARS = 200
# The lake stands for "a table without partitions" by this name.
RESERVED_KEYS = frozenset({"all"})
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")


class ShardSourceError(ResourceError):
    """A source of shards, or one shard of it, could not be reached or is not what it should be."""


class InvalidShardKey(ShardSourceError):
    """A text that cannot be a partition key."""


@dataclass(frozen=True)
class Shard:
    """One file of documents.

    Attributes:
        key: the partition key, unique in its source.
        uri: where the file is; carries no credentials. For the Hub it names the commit.
        bytes: size of the file; None where the source does not tell.
        revision: changes when the content may have changed.
    """

    key: str
    uri: str
    bytes: int | None
    revision: str

    def __post_init__(self) -> None:
        validate_shard_key(self.key)


class ShardSource(Protocol):
    """A place that lists shards and hands each out as a local file."""

    @property
    def pinned_revision(self) -> str | None:
        """The commit that is listed, where the source has commits."""
        ...

    def list_shards(self) -> list[Shard]:
        """All shards, sorted by key; never empty.

        Raises:
            ShardSourceError: the source cannot be reached, or holds no shard.
        """
        ...

    def fetch(self, shard: Shard, cache_dir: Path) -> Path:
        """A local path to the shard's content, whole or not at all.

        A download that was cut off is continued by the next call where the protocol allows. What is already
        local is used in place.

        Raises:
            ShardSourceError: the download failed, or the file is no longer the one that was listed.
        """
        ...


def holds_documents(path: str) -> bool:
    """Whether a relative path is a shard by its name: a known suffix, and nothing hidden on the way."""
    parts = path.split("/")
    return path.lower().endswith(SHARD_SUFFIXES) and not any(part.startswith(".") for part in parts)


def shard_key(path: str) -> str:
    """The partition key of a file, from its path inside the source.

    ``data/CC-MAIN-2024-10/000_00000.parquet`` becomes ``CC-MAIN-2024-10.000_00000``. Where characters had to
    be replaced or cut, a digest of the path is added, so that the key still stands for one path.
    """
    stem = path
    for suffix in SHARD_SUFFIXES:
        if path.lower().endswith(suffix):
            stem = path[: -len(suffix)]
            break
    parts = [part for part in stem.split("/") if part]
    if len(parts) > 1 and parts[0] == "data":
        parts = parts[1:]
    plain = ".".join(parts)
    key = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]", "_", plain)).strip("._-")
    if key == plain and _is_key(key):
        return key
    return _with_digest(key, path)


def shard_keys(paths: Iterable[str]) -> dict[str, str]:
    """Path to key for the files of one source; keys that would be alike all get a digest of their path.

    All of them, not all but the first: a key must never come to mean another file when a file is added. Keys
    that differ only in case count as alike, since they become file names.
    """
    keys = {path: shard_key(path) for path in paths}
    alike = Counter(key.casefold() for key in keys.values())
    keys = {
        path: key if alike[key.casefold()] == 1 else _with_digest(key, path) for path, key in keys.items()
    }
    if len(set(keys.values())) != len(keys):
        raise ShardSourceError("Two files of the source come to the same partition key: rename one of them.")
    return keys


def validate_shard_key(key: str) -> str:
    """The key itself, if it can be one: letters, digits, ``.``, ``_``, ``-``, a letter or digit first.

    Raises:
        InvalidShardKey: anything else.
    """
    if not _is_key(key):
        raise InvalidShardKey(
            f"{key[:MAX_KEY_CHARS]!a} is not a shard key: use up to {MAX_KEY_CHARS} letters, digits, '.', "
            "'_' and '-', starting with a letter or digit, without '..' and other than 'all'."
        )
    return key


def fingerprint(*facts: object) -> str:
    """16 hexadecimal digits that stand for some facts about a file."""
    return hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def redacted(url: str) -> str:
    """A URL without the places where credentials hide: user, password, query and fragment."""
    scheme, host, path, _, _ = urlsplit(url)
    return urlunsplit((scheme, host.rpartition("@")[2], path, "", ""))


def _is_key(key: str) -> bool:
    return (
        len(key) <= MAX_KEY_CHARS
        and _KEY.fullmatch(key) is not None
        and ".." not in key
        and key.casefold() not in RESERVED_KEYS
    )


def _with_digest(key: str, path: str) -> str:
    digest = fingerprint(path)[:10]
    return f"{key[: MAX_KEY_CHARS - len(digest) - 1].rstrip('._-') or 'shard'}-{digest}"
