SELECT
    count(*) AS rows,
    count(DISTINCT document_id) AS documents,
    (SELECT count(*) FROM lake.refuseweb WHERE shard = $partition AND state = 'accepted') AS sources,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    coalesce(sum(tokens) FILTER (WHERE state = 'accepted'), 0)::BIGINT AS tokens,
    count(*) FILTER (WHERE state = 'accepted' AND (text IS NULL OR tokens IS NULL)) AS incomplete,
    count(*) FILTER (WHERE state = 'accepted' AND (score_after IS NULL OR score_after > $max_safe)) AS unsafe
FROM lake.moral_education
WHERE shard = $partition;
