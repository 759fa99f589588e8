-- Log-probabilities of fixed answers, by the hash of the request.
CREATE TABLE choice_scores (
    shard VARCHAR NOT NULL,
    request_key VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    template VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    model_revision VARCHAR NOT NULL,
    log_probabilities FLOAT[] NOT NULL
);
