-- One row per answer of a model under evaluation; shard is the recipe. Added to, never rewritten: any judge may return.
CREATE TABLE evaluation_answers (
    shard VARCHAR NOT NULL,
    request_key VARCHAR NOT NULL,
    checkpoint_digest VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    decoding VARCHAR NOT NULL,
    decoding_settings VARCHAR NOT NULL,
    attack VARCHAR NOT NULL,
    set_name VARCHAR NOT NULL,
    prompt_id VARCHAR NOT NULL,
    prompt_hash VARCHAR NOT NULL,
    prefill VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    finish VARCHAR NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    answer_tokens INTEGER NOT NULL
);
