-- Source rows that are not documents, each with its reason; never the text itself.
CREATE TABLE quarantine (
    shard VARCHAR NOT NULL,
    row_number BIGINT NOT NULL,
    document_id VARCHAR,
    reason VARCHAR NOT NULL,
    text_hash VARCHAR,
    bytes BIGINT,
    chars BIGINT
);
