-- Training windows of each recipe in the order of training, each with the spans that its tokens came from.
CREATE TABLE tokenized_mixture (
    shard VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    split VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    slice VARCHAR NOT NULL,
    token_ids USMALLINT[] NOT NULL,
    loss_mask BOOLEAN[] NOT NULL,
    spans STRUCT(
        dataset VARCHAR, source_shard VARCHAR, document_id VARCHAR, text_hash VARCHAR,
        char_start BIGINT, char_end BIGINT, token_start INTEGER, token_end INTEGER
    )[] NOT NULL
);
