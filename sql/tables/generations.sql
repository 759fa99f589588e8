-- Every finished answer of a language model, by the hash of what shaped it.
CREATE TABLE generations (
    shard VARCHAR NOT NULL,
    request_key VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    template VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    model_revision VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    finish_reason VARCHAR NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL
);
