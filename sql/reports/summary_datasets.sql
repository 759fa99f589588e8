SELECT 'fineweb' AS dataset, count(*) AS rows, sum(token_count)::BIGINT AS tokens,
    (SELECT count(*) FROM lake.quarantine WHERE list_contains($shards, shard)) AS left_out
FROM lake.fineweb WHERE list_contains($shards, shard)
UNION ALL
SELECT 'scored_fineweb', count(*) FILTER (WHERE state = 'scored'), sum(tokens) FILTER (WHERE state = 'scored')::BIGINT,
    count(*) FILTER (WHERE state != 'scored')
FROM lake.scored_fineweb WHERE list_contains($shards, shard)
UNION ALL
SELECT 'safeweb', count(*) FILTER (WHERE state = 'accepted'), sum(tokens)::BIGINT, count(*) FILTER (WHERE state != 'accepted')
FROM lake.safeweb WHERE list_contains($shards, shard)
UNION ALL
SELECT 'refuseweb', count(*) FILTER (WHERE state = 'accepted'), sum(tokens)::BIGINT, count(*) FILTER (WHERE state != 'accepted')
FROM lake.refuseweb WHERE list_contains($shards, shard)
UNION ALL
SELECT 'moral_education', count(*) FILTER (WHERE state = 'accepted'), sum(tokens)::BIGINT, count(*) FILTER (WHERE state != 'accepted')
FROM lake.moral_education WHERE list_contains($shards, shard);
