-- One row per document: both scorers, their states, and what both say together, by ensemble (maximum or calibrated).
-- safety_score is NULL unless state is scored; ensemble is NULL in rows from before there was a choice: maximum.
CREATE TABLE scored_fineweb (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    tokens BIGINT NOT NULL,
    safety_score TINYINT,
    state VARCHAR NOT NULL,
    ensemble VARCHAR,
    category VARCHAR NOT NULL,
    category_probability DOUBLE,
    reason VARCHAR,
    embedding_score TINYINT,
    embedding_state VARCHAR NOT NULL,
    embedding_probabilities FLOAT[],
    embedding_version VARCHAR NOT NULL,
    llm_score TINYINT,
    llm_state VARCHAR NOT NULL,
    llm_log_probabilities FLOAT[],
    llm_version VARCHAR NOT NULL
);
