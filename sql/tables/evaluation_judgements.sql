-- One row per answer, judge and part of the answer (whole, before_own_tag). harmful is NULL where the judge could not judge.
CREATE TABLE evaluation_judgements (
    shard VARCHAR NOT NULL,
    request_key VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL,
    harmful BOOLEAN,
    marked_unsafe BOOLEAN NOT NULL
);
