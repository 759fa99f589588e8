-- One row per segment of a scored document: the verdict that its reflection states (SRP section 4).
CREATE TABLE reflected_corpus (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    char_start BIGINT NOT NULL,
    char_end BIGINT NOT NULL,
    score TINYINT NOT NULL,
    verdict VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    labeller VARCHAR NOT NULL,
    labeller_version VARCHAR NOT NULL
);
