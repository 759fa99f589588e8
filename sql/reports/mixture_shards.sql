-- Shards that every one of the tables has, by their last rewrite.
SELECT partition AS shard
FROM lake.commits
WHERE list_contains($tables, dataset) AND partition NOT IN ('all')
GROUP BY partition
HAVING count(DISTINCT dataset) = len($tables)
ORDER BY partition;
