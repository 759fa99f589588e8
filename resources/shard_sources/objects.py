"""Shards in an object store or behind any other address that fsspec opens: s3, gs, memory, http (one file).

Credentials come from the store's own environment variables and files, or from the address; they never enter a
``Shard`` or a message.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock

from resources.shard_sources.shard import (
    SHARD_SUFFIXES,
    Shard,
    ShardSourceError,
    fingerprint,
    holds_documents,
    redacted,
    shard_keys,
)

__all__ = ["ObjectSource"]

COPY_BYTES = 1 << 20
# What stores call their content tag or time of change; the first one present is taken.
VERSION_FACTS = (
    "ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Digest",
    "LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created",
)  # fmt: skip


class ObjectSource:
    """A prefix or a single file in a store. Over http a single file only, since http cannot be listed."""

    pinned_revision = None

    def __init__(self, spec: str) -> None:
        self._shown = redacted(spec)
        self._http = spec.startswith(("http://", "https://"))
        if "::" in spec:
            raise ShardSourceError(f"{self._shown} chains several stores: give the address of one.")
        try:
            self._store, self._root = fsspec.core.url_to_fs(spec)
        except ImportError:
            protocol = spec.partition("://")[0]
            raise ShardSourceError(
                f"{self._shown} needs a package that is not installed: pip install the fsspec driver for "
                f"{protocol} (s3fs for s3, gcsfs for gs, adlfs for az)."
            ) from None
        except ValueError:
            raise ShardSourceError(
                f"{self._shown} is no address that fsspec knows: correct the source."
            ) from None

    def list_shards(self) -> list[Shard]:
        """See ``ShardSource``."""
        with self._in_plain_words(self._shown):
            if self._http or self._store.isfile(self._root):
                name = (self._shown if self._http else self._root).rpartition("/")[2]
                files = {name: (self._root, self._store.info(self._root))}
            else:
                root = self._root.rstrip("/") + "/"
                found = self._store.find(self._root, detail=True)
                files = {path.removeprefix(root): (path, facts) for path, facts in found.items()}
        files = {name: entry for name, entry in files.items() if holds_documents(name)}
        if not files:
            raise ShardSourceError(
                f"{self._shown} holds no shard: name a {'file' if self._http else 'file or prefix'} with "
                f"names that end in {', '.join(sorted(SHARD_SUFFIXES))}."
            )
        keys = shard_keys(files)
        shards = [
            Shard(keys[name], self._uri(path), facts.get("size"), _revision(facts))
            for name, (path, facts) in files.items()
        ]
        return sorted(shards, key=lambda shard: shard.key)

    def fetch(self, shard: Shard, cache_dir: Path) -> Path:
        """See ``ShardSource``. Continues its partial file where the store can seek."""
        # The query of an http address may hold a signature: the Shard has it not, the source has.
        path = self._root if self._http else self._store._strip_protocol(shard.uri)
        suffix = next((s for s in SHARD_SUFFIXES if shard.uri.lower().endswith(s)), "")
        target = cache_dir / "objects" / f"{shard.key}.{fingerprint(shard.uri, shard.revision)}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._in_plain_words(f"Shard {shard.key} of {self._shown}"), FileLock(f"{target}.lock"):
            if not target.exists():
                if _revision(self._store.info(path)) != shard.revision:
                    raise ShardSourceError(
                        f"Shard {shard.key} changed in {self._shown} after it was listed: "
                        "list the source again."
                    )
                part = target.with_name(target.name + ".part")
                self._copy(path, part)
                if shard.bytes is not None and part.stat().st_size != shard.bytes:
                    held = part.stat().st_size
                    part.unlink()
                    raise ShardSourceError(
                        f"Shard {shard.key} came with {held} bytes instead of {shard.bytes}: fetch it again."
                    )
                part.replace(target)
        return target

    def _copy(self, path: str, part: Path) -> None:
        with self._store.open(path, "rb") as incoming, part.open("ab") as local:
            if local.tell():
                try:
                    incoming.seek(local.tell())
                except (ValueError, OSError):
                    local.truncate(0)
            shutil.copyfileobj(incoming, local, COPY_BYTES)

    def _uri(self, path: str) -> str:
        return self._shown if self._http else self._store.unstrip_protocol(path)

    @contextmanager
    def _in_plain_words(self, what: str) -> Iterator[None]:
        try:
            yield
        except ShardSourceError:
            raise
        except FileNotFoundError:
            raise ShardSourceError(f"{what} does not exist: correct the source, or list it again.") from None
        except PermissionError:
            raise ShardSourceError(f"{what} refuses access: set the credentials of its store.") from None
        except Exception as error:
            # Every store has its own exceptions, and their messages hold signed addresses.
            raise ShardSourceError(
                f"{what} cannot be read ({type(error).__name__}): check network, credentials and disk, then "
                "run again; what was downloaded is kept."
            ) from None


def _revision(facts: Mapping[str, Any]) -> str:
    fact = next((facts[name] for name in VERSION_FACTS if facts.get(name) is not None), "")
    # Some stores tell the same time as a date in one call and as seconds in another.
    return fingerprint(fact.timestamp() if isinstance(fact, datetime) else fact, facts.get("size"))
