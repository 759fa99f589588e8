-- Every report card ever written, as JSON that follows card.schema.json.
CREATE TABLE report_cards (
    shard VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL,
    input_digest VARCHAR NOT NULL,
    card VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL
);
