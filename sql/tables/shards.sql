-- The registry: which file is behind a partition key. Written by whoever finds new shards.
CREATE TABLE shards (
    shard VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    source_revision VARCHAR,
    uri VARCHAR NOT NULL,
    bytes BIGINT,
    revision VARCHAR NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL
);
