-- One row per dialogue of refuseweb: the article that carries its principle (SP section 3.4).
CREATE TABLE moral_education (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    dialogue_hash VARCHAR NOT NULL,
    source_score TINYINT NOT NULL,
    harm VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    title VARCHAR,
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
