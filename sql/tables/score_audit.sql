-- What an audit of one classifier's scores measured, a row per measure and level; value is NULL where nothing was judged.
CREATE TABLE score_audit (
    shard VARCHAR NOT NULL,
    scorer VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    level TINYINT NOT NULL,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    judged BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    sampled BIGINT NOT NULL,
    unjudged BIGINT NOT NULL,
    shards BIGINT NOT NULL,
    inputs_digest VARCHAR NOT NULL
);
