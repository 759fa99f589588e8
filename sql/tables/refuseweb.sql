-- One row per document scored 4-5: the second judgement, and the dialogue made of it (SP section 3.3).
CREATE TABLE refuseweb (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    source_text_hash VARCHAR NOT NULL,
    source_score TINYINT NOT NULL,
    source_tokens BIGINT NOT NULL,
    harm VARCHAR NOT NULL,
    confirmation DOUBLE,
    state VARCHAR NOT NULL,
    turns STRUCT("role" VARCHAR, content VARCHAR)[],
    tokens BIGINT,
    score_after TINYINT,
    attempts INTEGER NOT NULL,
    rejected_answers VARCHAR[] NOT NULL,
    template VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    model_revision VARCHAR NOT NULL
);
