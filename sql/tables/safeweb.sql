-- One row per document scored 1-3: its safe retelling, or why there is none (SP section 3.2).
CREATE TABLE safeweb (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    source_text_hash VARCHAR NOT NULL,
    source_score TINYINT NOT NULL,
    source_tokens BIGINT NOT NULL,
    style VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    text VARCHAR,
    tokens BIGINT,
    score_after TINYINT,
    highest_sentence_score TINYINT,
    attempts INTEGER NOT NULL,
    rejected_answers VARCHAR[] NOT NULL,
    template VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    model_revision VARCHAR NOT NULL
);
