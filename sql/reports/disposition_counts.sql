SELECT disposition, why, count(*) AS documents, sum(tokens)::BIGINT AS tokens
FROM lake.dispositions
WHERE $partition IS NULL OR shard = $partition
GROUP BY disposition, why
ORDER BY disposition, documents DESC;
