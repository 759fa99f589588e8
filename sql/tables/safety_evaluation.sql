-- One row per result of a recipe: attack success of a cell by judge and part, over-refusal, overlap, tasks, perplexity.
-- value is a share with its Wilson interval (a perplexity has none); unjudged answers are in neither part of it.
CREATE TABLE safety_evaluation (
    shard VARCHAR NOT NULL,
    checkpoint_digest VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    decoding VARCHAR NOT NULL,
    attack VARCHAR NOT NULL,
    prompt_set VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL,
    total BIGINT NOT NULL,
    counted BIGINT,
    unjudged BIGINT NOT NULL,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    worst DOUBLE,
    other_judge VARCHAR NOT NULL,
    compared BIGINT NOT NULL,
    disagreement DOUBLE,
    kappa DOUBLE
);
