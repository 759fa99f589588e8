SELECT safety_score AS score, count(*) AS documents
FROM lake.scored_fineweb
WHERE list_contains($shards, shard)
GROUP BY safety_score
ORDER BY safety_score NULLS LAST;
