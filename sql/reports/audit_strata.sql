-- Documents of each score in each source that this classifier scored; beyond the largest sources, all others together.
WITH scored AS (
    SELECT scores.safety_score AS score, coalesce(documents.dump, 'unknown') AS dump
    FROM lake.scored_fineweb AS scores /*at:scored_fineweb*/
    JOIN lake.fineweb AS documents
        ON documents.shard = scores.shard AND documents.document_id = scores.document_id
            AND documents.text_hash = scores.text_hash
    WHERE scores.state = 'scored' AND list_contains($shards, scores.shard)
        AND starts_with(scores.embedding_version, $scorer || ' ')
),
largest AS (
    SELECT dump FROM scored GROUP BY dump ORDER BY count(*) DESC, dump LIMIT $most_sources
)
SELECT score, CASE WHEN dump IN (SELECT dump FROM largest) THEN dump ELSE 'others' END AS source, count(*) AS documents
FROM scored
GROUP BY ALL
ORDER BY ALL;
