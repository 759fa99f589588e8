SELECT 'embedding' AS scorer, embedding_state AS state, count(*) AS count
FROM lake.scored_fineweb WHERE shard = $partition GROUP BY embedding_state
UNION ALL
SELECT 'llm', llm_state, count(*)
FROM lake.scored_fineweb WHERE shard = $partition GROUP BY llm_state
ORDER BY scorer, state;
