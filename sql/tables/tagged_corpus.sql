-- One row per document scored unsafe: the character offsets at which the harmfulness tag goes (SP section 4).
CREATE TABLE tagged_corpus (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    safety_score TINYINT NOT NULL,
    category VARCHAR NOT NULL,
    words BIGINT NOT NULL,
    rate DOUBLE NOT NULL,
    seed BIGINT NOT NULL,
    positions BIGINT[] NOT NULL
);
