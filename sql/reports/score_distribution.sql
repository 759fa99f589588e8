SELECT safety_score AS score, count(*) AS documents
FROM lake.scored_fineweb
WHERE shard = $partition
GROUP BY safety_score
ORDER BY safety_score;
