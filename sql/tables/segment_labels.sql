-- Labels of the chunks of each document, keyed by span, labeller and text: later stages join them, none recomputes.
CREATE TABLE segment_labels (
    shard VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    char_start BIGINT NOT NULL,
    char_end BIGINT NOT NULL,
    labeller VARCHAR NOT NULL,
    labeller_version VARCHAR NOT NULL,
    score TINYINT NOT NULL,
    probabilities FLOAT[] NOT NULL
);
