-- The ledger: one row for every rewrite of a partition. Its virtual snapshot_id is the partition's version.
CREATE TABLE commits (
    dataset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    asset_key VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL
);
