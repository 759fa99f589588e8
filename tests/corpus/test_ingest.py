"""A shard's file into the lake: every row in exactly one table, a bad file leaves what was there."""

from __future__ import annotations

import pytest

from safety_assets.corpus.checks import fineweb_gates
from safety_assets.corpus.ingest import ingest_shard
from safety_assets.corpus.schema import UnreadableShard
from tests.support.bad_shards import BAD_SHARDS, write_bad_shard


def rows(lake, table, shard="s"):
    with lake.read(table, partition=shard) as reader:
        return reader.read_all().to_pylist()


@pytest.mark.parametrize("kind", sorted(BAD_SHARDS))
def test_every_kind_of_bad_row_is_counted_and_named(kind, lake, written_by, tmp_path):
    bad = write_bad_shard(kind, tmp_path)
    if bad.unreadable:
        with pytest.raises(UnreadableShard, match="Shard s"):
            ingest_shard(bad.path, lake, written_by("s"))
        assert lake.version("fineweb", "s") is None
        return
    ingest = ingest_shard(bad.path, lake, written_by("s"))
    assert len(rows(lake, "fineweb")) == ingest.version.rows
    assert sum(ingest.rejected.values()) == len(rows(lake, "quarantine"))
    assert ingest.rows_read == ingest.version.rows + sum(ingest.rejected.values())
    outcomes = {outcome.check: outcome.passed for outcome in fineweb_gates(lake, ingest)}
    assert outcomes["schema"]
    assert outcomes["conservation"]


def test_an_unreadable_file_leaves_the_rows_that_were_there(lake, written_by, tmp_path):
    good = next(kind for kind in sorted(BAD_SHARDS) if not write_bad_shard(kind, tmp_path).unreadable)
    ingest_shard(write_bad_shard(good, tmp_path).path, lake, written_by("s"))
    before = rows(lake, "fineweb"), lake.version("fineweb", "s")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UnreadableShard):
        ingest_shard(broken, lake, written_by("s"))
    assert (rows(lake, "fineweb"), lake.version("fineweb", "s")) == before
