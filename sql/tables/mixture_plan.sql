-- Plan against actual: what each slice of a recipe was to get, what it got, and how often its text was repeated.
CREATE TABLE mixture_plan (
    shard VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    slice VARCHAR NOT NULL,
    share DOUBLE NOT NULL,
    planned_tokens BIGINT NOT NULL,
    actual_tokens BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    epoch_tokens BIGINT,
    epochs DOUBLE NOT NULL
);
