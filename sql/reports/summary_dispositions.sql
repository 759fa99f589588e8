SELECT disposition, why, count(*) AS documents
FROM lake.dispositions
WHERE list_contains($shards, shard)
GROUP BY disposition, why
ORDER BY disposition, documents DESC;
