"""Shards that are already on this machine: a folder, searched in depth, or a single file. Used in place."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from resources.shard_sources.shard import (
    SHARD_SUFFIXES,
    Shard,
    ShardSourceError,
    fingerprint,
    holds_documents,
    shard_keys,
)

__all__ = ["FolderSource"]


class FolderSource:
    """A local folder or file. Hidden files and links that lead out of the folder are passed over."""

    pinned_revision = None

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser()

    def list_shards(self) -> list[Shard]:
        """See ``ShardSource``."""
        root = self._root
        if root.is_file():
            files, outside = {root.name: root}, 0
            if not root.name.lower().endswith(SHARD_SUFFIXES):
                raise ShardSourceError(f"{root} is not a shard: its name must end in {_suffixes()}.")
        elif root.is_dir():
            files, outside = _files_below(root)
        else:
            raise ShardSourceError(f"There is no file or folder {root}: correct the shard source.")
        if not files:
            hint = (
                f" ({outside} links lead out of it and are not followed; copy the files)" if outside else ""
            )
            raise ShardSourceError(
                f"{root} holds no shard{hint}: put files into it whose names end in {_suffixes()}."
            )
        keys = shard_keys(files)
        shards = [_shard(keys[name], path) for name, path in files.items()]
        return sorted(shards, key=lambda shard: shard.key)

    def fetch(self, shard: Shard, cache_dir: Path) -> Path:
        """See ``ShardSource``. ``cache_dir`` is not used."""
        path = Path(url2pathname(urlsplit(shard.uri).path))
        if not shard.uri.startswith("file:") or not path.is_file():
            raise ShardSourceError(f"Shard {shard.key} is gone from {self._root}: list the source again.")
        if _shard(shard.key, path).revision != shard.revision:
            raise ShardSourceError(
                f"Shard {shard.key} changed in {self._root} after it was listed: list the source again."
            )
        return path


def _files_below(root: Path) -> tuple[dict[str, Path], int]:
    """Relative name to path, and how many links lead out of ``root``. Linked folders are not entered."""

    def refuse(error: OSError) -> None:
        raise ShardSourceError(
            f"{error.filename} cannot be listed ({error.strerror}): give read access."
        ) from None

    inside = root.resolve()
    files, outside = {}, 0
    for folder, _, names in os.walk(root, onerror=refuse):
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if not holds_documents(relative):
                continue
            if not path.resolve().is_relative_to(inside):
                outside += 1
            elif path.is_file():
                files[relative] = path
    return files, outside


def _shard(key: str, path: Path) -> Shard:
    try:
        facts = path.stat()
    except OSError as error:
        raise ShardSourceError(f"Shard {key} cannot be read ({error.strerror}): give read access.") from None
    revision = fingerprint(facts.st_size, facts.st_mtime_ns)
    return Shard(key=key, uri=path.absolute().as_uri(), bytes=facts.st_size, revision=revision)


def _suffixes() -> str:
    return ", ".join(sorted(SHARD_SUFFIXES))
