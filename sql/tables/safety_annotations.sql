-- Labelled examples for the classifier and for calibration (SP section 3.1: the oracle's labels).
CREATE TABLE safety_annotations (
    shard VARCHAR NOT NULL,
    annotation_id VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    text_hash VARCHAR NOT NULL,
    score TINYINT,
    category VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    labeller VARCHAR NOT NULL,
    labeller_version VARCHAR NOT NULL
);
