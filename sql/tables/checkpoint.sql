-- One row per recipe: the model pretrained on its mixture, and how the training went (SP section 5).
CREATE TABLE checkpoint (
    shard VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    parent VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    parameters BIGINT NOT NULL,
    tokenizer_digest VARCHAR NOT NULL,
    has_tag BOOLEAN NOT NULL,
    examples BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    steps BIGINT NOT NULL,
    first_loss DOUBLE NOT NULL,
    final_loss DOUBLE NOT NULL,
    validation_perplexity DOUBLE,
    tokens_per_second DOUBLE,
    utilisation DOUBLE,
    export_difference DOUBLE NOT NULL,
    loss_curve STRUCT(step INTEGER, tokens BIGINT, loss DOUBLE, rate DOUBLE)[] NOT NULL,
    settings VARCHAR NOT NULL
);
