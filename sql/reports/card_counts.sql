SELECT slice, score, count(*) AS documents, sum(tokens)::BIGINT AS tokens, count(*) FILTER (WHERE tokens IS NULL) AS uncounted
FROM lake.card_rows
WHERE dataset = $dataset
GROUP BY slice, score
ORDER BY slice, score;
