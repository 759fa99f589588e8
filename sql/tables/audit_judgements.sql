-- The sample of an audit: each document's score and what the judge says it is; judged_score is NULL where it said nothing.
CREATE TABLE audit_judgements (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    score TINYINT NOT NULL,
    judged_score TINYINT,
    weight DOUBLE NOT NULL,
    scorer VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL
);
