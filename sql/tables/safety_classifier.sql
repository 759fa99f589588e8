-- One row per trained classifier: where its head lies, what it was trained on, how well it does.
CREATE TABLE safety_classifier (
    shard VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    encoder VARCHAR NOT NULL,
    encoder_revision VARCHAR NOT NULL,
    head BLOB NOT NULL,
    confirmation BLOB NOT NULL,
    llm_thresholds VARCHAR NOT NULL,
    combination VARCHAR,
    metrics VARCHAR NOT NULL,
    annotations_snapshot_id BIGINT NOT NULL
);
