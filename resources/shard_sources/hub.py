"""Shards of a data set on the Hugging Face Hub, at one pinned commit.

The Hub's own client does the talking; this module pins the commit, names the shards and puts failures into
plain words. The client's messages carry signed addresses, so they are not passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote

import requests
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from resources.shard_sources.shard import (
    SHARD_SUFFIXES,
    Shard,
    ShardSourceError,
    holds_documents,
    redacted,
    shard_keys,
)

__all__ = ["HubSource"]

TIMEOUT_S = 30
FORM = "hf://datasets/OWNER/NAME[@REVISION][/PATH]"
# Branches such as refs/convert/parquet and refs/pr/7 hold slashes; other revisions quote theirs.
_SPEC = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@(refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(.*))?")


class HubSource:
    """A data set repository, or a folder or file of it. A token is taken from ``HF_TOKEN`` alone."""

    def __init__(self, spec: str, revision: str | None = None) -> None:
        match = _SPEC.fullmatch(spec)
        if match is None:
            raise ShardSourceError(f"{redacted(spec)} does not name a Hub data set: write {FORM}.")
        self._repository, named, path = match[1], match[2] and unquote(match[2]), match[3]
        if named and revision and named != revision:
            raise ShardSourceError(
                f"The shard source names revision {named!a} and the setting says {revision!a}: give only one."
            )
        self._asked = revision or named or "main"
        self._path = (path or "").strip("/")
        self._api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN") or False)

    @cached_property
    def pinned_revision(self) -> str:
        """The commit that the asked revision meant when it was first looked up."""
        with self._in_plain_words():
            commit = self._api.dataset_info(
                self._repository, revision=self._asked, expand=["sha"], timeout=TIMEOUT_S
            ).sha
        if not commit:
            raise ShardSourceError(f"{self._where()} names no commit: check HF_ENDPOINT.")
        return commit

    def list_shards(self) -> list[Shard]:
        """See ``ShardSource``. One request for every 1,000 files or so."""
        pinned = {"repo_id": self._repository, "revision": self.pinned_revision, "repo_type": "dataset"}
        with self._in_plain_words():
            if self._path.lower().endswith(SHARD_SUFFIXES):
                found = self._api.get_paths_info(paths=[self._path], **pinned)
            else:
                found = self._api.list_repo_tree(path_in_repo=self._path or None, recursive=True, **pinned)
            files = {
                item.path: item for item in found if isinstance(item, RepoFile) and holds_documents(item.path)
            }
        if not files:
            raise ShardSourceError(
                f"{self._where()} holds no shard{' at ' + ascii(self._path) if self._path else ''}: "
                f"name a path with files that end in {', '.join(sorted(SHARD_SUFFIXES))}."
            )
        keys = shard_keys(files)
        root = f"hf://datasets/{self._repository}@{self.pinned_revision}/"
        shards = [
            Shard(
                key=keys[path],
                uri=root + quote(path),
                bytes=item.size,
                # A content address: other commits to the repository leave it alone.
                revision=item.lfs.sha256 if item.lfs else item.blob_id,
            )
            for path, item in files.items()
        ]
        return sorted(shards, key=lambda shard: shard.key)

    def fetch(self, shard: Shard, cache_dir: Path) -> Path:
        """See ``ShardSource``. The client resumes from its partial file, in steps of 10 MB."""
        match = _SPEC.fullmatch(shard.uri)
        if match is None or not match[2] or not match[3]:
            raise ShardSourceError(
                f"Shard {shard.key} was not listed by a Hub source: list the source again."
            )
        with self._in_plain_words(f"Shard {shard.key}: "):
            local = Path(
                self._api.hf_hub_download(
                    match[1],
                    unquote(match[3]),
                    revision=match[2],
                    repo_type="dataset",
                    cache_dir=cache_dir / "hub",
                )
            )
        if shard.bytes is not None and local.stat().st_size != shard.bytes:
            raise ShardSourceError(
                f"Shard {shard.key} has {local.stat().st_size} bytes in the cache, {shard.bytes} on the Hub: "
                "delete it from the cache folder and fetch it again."
            )
        return local

    def _where(self) -> str:
        return f"The Hub data set {self._repository}@{self._asked}"

    @contextmanager
    def _in_plain_words(self, prefix: str = "") -> Iterator[None]:
        try:
            yield
        except ShardSourceError:
            raise
        except Exception as error:
            # Subclasses stand before their parents: a gated repository is also a repository not found.
            match error:
                case OfflineModeIsEnabled():
                    problem = (
                        "may not be reached, since HF_HUB_OFFLINE is set: unset it, or use a local folder"
                    )
                case GatedRepoError():
                    problem = "is gated: accept its terms on its page, then set HF_TOKEN"
                case RevisionNotFoundError():
                    problem = "has no such revision: name an existing branch, tag or commit"
                case RepositoryNotFoundError():
                    problem = "does not exist or is private: correct the name, or set HF_TOKEN"
                case LocalEntryNotFoundError() if isinstance(error.__cause__, OfflineModeIsEnabled):
                    problem = (
                        "may not be reached, since HF_HUB_OFFLINE is set: unset it, or use a local folder"
                    )
                case LocalEntryNotFoundError() | requests.ConnectionError() | requests.Timeout():
                    problem = "cannot be reached: check the network and HF_ENDPOINT, then try again"
                case EntryNotFoundError():
                    problem = "has no such path at this commit: correct the path, or list the source again"
                case HFValidationError():
                    problem = f"has a name or revision that the Hub does not allow: write {FORM}"
                case HfHubHTTPError():
                    status = error.response.status_code if error.response is not None else "no status"
                    problem = f"answered with an error (HTTP {status}): try again later, or check HF_TOKEN"
                case requests.RequestException() | OSError():
                    problem = (
                        f"stopped answering or the cache cannot be written ({type(error).__name__}): "
                        "check network and disk, then run again; what was downloaded is kept"
                    )
                case _:
                    raise
            raise ShardSourceError(f"{prefix}{self._where()} {problem}.") from None
