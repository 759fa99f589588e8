SELECT source_score AS before, score_after AS after, count(*) AS count
FROM lake.safeweb
WHERE score_after IS NOT NULL
GROUP BY ALL
ORDER BY ALL;
