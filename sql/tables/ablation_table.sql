-- One row per recipe and measure, over all prompt sets of a kind; standing says how it stands to the baseline recipe.
CREATE TABLE ablation_table (
    shard VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    decoding VARCHAR NOT NULL,
    attack VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    total BIGINT NOT NULL,
    counted BIGINT,
    unjudged BIGINT NOT NULL,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    standing VARCHAR NOT NULL
);
