-- What each check found on one exact version of a partition. Consumers pass only on rows of the version they read.
CREATE TABLE gates (
    dataset VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    snapshot_id BIGINT NOT NULL,
    check_name VARCHAR NOT NULL,
    passed BOOLEAN NOT NULL,
    blocking BOOLEAN NOT NULL,
    facts VARCHAR NOT NULL,
    override_reason VARCHAR,
    run_id VARCHAR NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);
