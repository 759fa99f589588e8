-- Validated source documents: FineWeb's columns, and what identifies a row for good. Text is immutable.
CREATE TABLE fineweb (
    shard VARCHAR NOT NULL,
    row_number BIGINT NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    dump VARCHAR,
    url VARCHAR,
    date VARCHAR,
    file_path VARCHAR,
    language VARCHAR,
    language_score DOUBLE,
    token_count BIGINT
);
