SELECT DISTINCT shard
FROM lake.scored_fineweb
WHERE safety_score IS NOT NULL AND starts_with(embedding_version, $scorer || ' ')
ORDER BY shard;
