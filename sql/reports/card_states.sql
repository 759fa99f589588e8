SELECT scorer, state, count(*) AS count
FROM (
    SELECT unnest([
        {'scorer': 'embedding classifier', 'state': embedding_state},
        {'scorer': 'language model', 'state': llm_state},
        {'scorer': 'document', 'state': state}
    ], recursive := true)
    FROM lake.scored_fineweb
)
GROUP BY scorer, state
ORDER BY scorer, state;
