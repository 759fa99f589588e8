"""Partition keys and the files behind them."""

from __future__ import annotations

import pytest

from resources.shard_source import Shard, ShardSourceError, ShardSourceResource
from safety_assets.corpus.registry import fetched, list_source, register_shards, registered_shard
from safety_assets.sample_data.sample import build_sample

SHARD = Shard("a.000", "/data/a/000.parquet", 10, "1")


def test_a_registered_shard_is_found_again_with_its_source(lake):
    assert register_shards(lake, "/data", None, [SHARD], "run") == ["a.000"]
    found = registered_shard(lake, "a.000")
    assert (found.shard, found.source) == (SHARD, "/data")


def test_registering_again_writes_nothing_until_the_file_changes(lake):
    register_shards(lake, "/data", None, [SHARD], "run")
    first = lake.version("shards", "a.000")
    register_shards(lake, "/data", None, [SHARD], "run")
    assert lake.version("shards", "a.000") == first
    changed = Shard(SHARD.key, SHARD.uri, 11, "2")
    assert register_shards(lake, "/data", None, [changed], "run") == ["a.000"]
    assert registered_shard(lake, "a.000").shard.revision == "2"


def test_two_sources_never_share_a_partition(lake):
    other = Shard("a.000", "/other/a/000.parquet", 10, "1")
    (mine,) = register_shards(lake, "/data", None, [SHARD], "run")
    (theirs,) = register_shards(lake, "/other", None, [other], "run")
    assert mine != theirs
    assert registered_shard(lake, theirs).shard.uri == other.uri
    assert register_shards(lake, "/other", None, [other], "run") == [theirs]


def test_an_unknown_partition_says_what_to_do(lake):
    with pytest.raises(ShardSourceError, match="new_shards"):
        registered_shard(lake, "nowhere")


def test_credentials_are_never_stored(lake):
    with pytest.raises(ShardSourceError, match="credentials"):
        register_shards(lake, "https://user:secret@host.example/a.parquet", None, [SHARD], "run")


def test_the_sample_is_built_where_it_is_asked_for_and_fetched_from_there(lake, tmp_path):
    source = ShardSourceResource(sample_folder=str(tmp_path / "sample"), cache_dir=str(tmp_path / "cache"))
    shards = list_source(source)
    assert len(shards) >= 4
    keys = register_shards(lake, "sample", source.pinned_revision(), shards, "run")
    with fetched(registered_shard(lake, keys[0]), source) as path:
        assert path.is_file()
    assert path.is_file(), "a file that was local from the start is kept"


def test_a_download_is_deleted_after_use_and_kept_after_a_failure(lake, tmp_path):
    folder = build_sample(tmp_path / "built")
    file = sorted(folder.rglob("*.parquet"))[0]
    source = ShardSourceResource(source=f"local://{file}", cache_dir=str(tmp_path / "cache"))
    keys = register_shards(lake, source.source, None, list_source(source), "run")
    entry = registered_shard(lake, keys[0])
    with pytest.raises(RuntimeError), fetched(entry, source) as path:
        raise RuntimeError
    assert path.exists()
    with fetched(entry, source) as path:
        assert path.exists()
    assert not path.exists()
    assert file.exists()
