"""Where shards come from: the packaged sample, a local folder, the Hugging Face Hub, an object store.

The form of one text, the source's spec, decides. The sources themselves are in ``resources/shard_sources``;
what is inside a shard is not known here.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dagster as dg
from pydantic import Field, PrivateAttr

from resources.shard_sources.folder import FolderSource
from resources.shard_sources.shard import (
    SHARD_SUFFIXES,
    InvalidShardKey,
    Shard,
    ShardSource,
    ShardSourceError,
    redacted,
    shard_key,
    shard_keys,
    validate_shard_key,
)

__all__ = [
    "SHARD_SUFFIXES",
    "InvalidShardKey",
    "Shard",
    "ShardSource",
    "ShardSourceError",
    "ShardSourceResource",
    "open_source",
    "shard_key",
    "shard_keys",
    "validate_shard_key",
]

SAMPLE = "sample"


def open_source(
    spec: str, *, revision: str | None = None, sample_folder: Path | str | None = None
) -> ShardSource:
    """The source that a spec names. Nothing is listed or reached yet.

    Args:
        spec: ``sample``; a local folder or file; ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``; or any other
            address that fsspec opens, such as ``s3://BUCKET/PREFIX`` or ``https://HOST/FILE.parquet``.
        revision: branch, tag or commit of a Hub data set.
        sample_folder: the folder that the packaged sample was built into.

    Raises:
        ShardSourceError: the spec names nothing that can be opened.
    """
    if not spec.strip():
        raise ShardSourceError(
            "The shard source is empty: give 'sample', a folder, or an address such as hf://…."
        )
    if revision is not None and not spec.startswith("hf://"):
        raise ShardSourceError(
            f"Shard source {redacted(spec)} has no revisions, but {revision!a} is asked for: "
            "remove the revision."
        )
    if spec == SAMPLE:
        if sample_folder is None:
            raise ShardSourceError(
                "The packaged sample was not built: build it and give its folder as sample_folder."
            )
        return FolderSource(Path(sample_folder))
    # The clients take a while to import, and most processes need none of them.
    if spec.startswith("hf://"):
        from resources.shard_sources.hub import HubSource

        return HubSource(spec, revision)
    if spec.startswith("file://"):
        return FolderSource(Path(url2pathname(urlsplit(spec).path)))
    if "://" in spec:
        from resources.shard_sources.objects import ObjectSource

        return ObjectSource(spec)
    return FolderSource(Path(spec))


class ShardSourceResource(dg.ConfigurableResource):
    """A shard source as Dagster configures it, with the folder that downloads go to."""

    source: str = Field(
        default=SAMPLE,
        description="Where shards come from: 'sample', a local folder or file, "
        "hf://datasets/OWNER/NAME[@REVISION][/PATH], or another address such as s3://BUCKET/PREFIX.",
    )
    revision: str | None = Field(
        default=None,
        description="Branch, tag or commit of a Hub data set. It is pinned to a commit when a process first "
        "looks; name a commit to have all runs read the same files.",
    )
    cache_dir: str = Field(
        default=".safety/shards",
        description="Local folder for downloads. Files in it may be deleted at any time.",
    )
    sample_folder: str | None = Field(
        default=None,
        description="Folder that the packaged sample was built into; needed for source 'sample'.",
    )
    max_shards: int | None = Field(
        default=None, gt=0, description="List only this many shards, the first by key; all if not set."
    )
    _opened: ShardSource | None = PrivateAttr(default=None)

    def at(self, source: str, revision: str | None = None) -> ShardSourceResource:
        """The same resource for another source: a shard is fetched from where it was once found."""
        if (source, revision) == (self.source, self.revision):
            return self
        return ShardSourceResource(
            source=source, revision=revision, cache_dir=self.cache_dir, sample_folder=self.sample_folder
        )

    def pinned_revision(self) -> str | None:
        """The commit that this process reads, for a Hub data set.

        Raises:
            ShardSourceError: the Hub cannot be reached, or has no such revision.
        """
        return self._source().pinned_revision

    def list_shards(self) -> list[Shard]:
        """The shards to work on, sorted by key, at most ``max_shards``.

        Raises:
            ShardSourceError: the source cannot be reached, or holds no shard.
        """
        return self._source().list_shards()[: self.max_shards]

    def shard(self, key: str) -> Shard:
        """The shard of a partition key, whether or not ``max_shards`` would list it.

        Raises:
            ShardSourceError: the source has no such shard.
        """
        validate_shard_key(key)
        for shard in self._source().list_shards():
            if shard.key == key:
                return shard
        raise ShardSourceError(
            f"The source {redacted(self.source)} has no shard {key}: it was removed or renamed there, or the "
            "source setting changed. Remove the partition, or restore the file."
        )

    def fetch(self, shard: Shard) -> Path:
        """A local path to the shard's content.

        Raises:
            ShardSourceError: the download failed, or the file is no longer the one that was listed.
        """
        return self._source().fetch(shard, Path(self.cache_dir).expanduser())

    def _source(self) -> ShardSource:
        if self._opened is None:
            self._opened = open_source(self.source, revision=self.revision, sample_folder=self.sample_folder)
        return self._opened
