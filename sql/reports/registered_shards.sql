SELECT shard, source, source_revision, uri, bytes, revision
FROM lake.shards
ORDER BY shard;
