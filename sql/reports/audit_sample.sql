-- The first documents of each stratum in an order that the seed decides; strata as in audit_strata. Texts that a
-- classifier was trained or calibrated on, by the annotations of now or of then, are not drawn: it would be praised
-- for what it was told.
WITH scored AS (
    SELECT
        scores.document_id,
        scores.text_hash,
        scores.safety_score AS score,
        coalesce(documents.dump, 'unknown') AS dump,
        scores.shard
    FROM lake.scored_fineweb AS scores /*at:scored_fineweb*/
    JOIN lake.fineweb AS documents
        ON documents.shard = scores.shard AND documents.document_id = scores.document_id
            AND documents.text_hash = scores.text_hash
    WHERE scores.state = 'scored' AND list_contains($shards, scores.shard)
        AND starts_with(scores.embedding_version, $scorer || ' ')
),
largest AS (
    SELECT dump FROM scored GROUP BY dump ORDER BY count(*) DESC, dump LIMIT $most_sources
),
drawn AS (
    SELECT *, CASE WHEN dump IN (SELECT dump FROM largest) THEN dump ELSE 'others' END AS source
    FROM scored
    WHERE text_hash NOT IN (SELECT text_hash FROM lake.safety_annotations WHERE split <> 'test')
        AND NOT list_contains($learned, text_hash)
    QUALIFY
        row_number() OVER (PARTITION BY score, source ORDER BY md5($seed || text_hash || document_id), document_id)
        <= $per_stratum
)
SELECT drawn.document_id, drawn.text_hash, documents.text, drawn.score, drawn.source
FROM drawn
JOIN lake.fineweb AS documents ON documents.shard = drawn.shard AND documents.document_id = drawn.document_id
ORDER BY drawn.score, drawn.source, drawn.document_id;
