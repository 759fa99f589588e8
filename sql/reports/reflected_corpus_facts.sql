WITH covered AS (
    SELECT
        document_id, text_hash, count(*) AS segments, min(char_start) AS first, max(char_end) AS last,
        sum(char_end - char_start) AS chars, max(score) AS highest
    FROM lake.reflected_corpus
    WHERE shard = $partition
    GROUP BY document_id, text_hash
)
SELECT
    coalesce(sum(covered.segments), 0)::BIGINT AS rows,
    count(covered.document_id) AS documents,
    count(*) FILTER (WHERE scores.safety_score IS NOT NULL) AS sources,
    count(*) FILTER (WHERE scores.safety_score IS NULL AND covered.document_id IS NOT NULL) AS unscored,
    count(*) FILTER (
        WHERE covered.document_id IS NOT NULL
            AND (covered.first != 0 OR covered.last != length(documents.text) OR covered.chars != length(documents.text))
    ) AS gaps,
    count(*) FILTER (WHERE covered.highest != scores.safety_score) AS other_level,
    (SELECT count(*) FROM lake.reflected_corpus WHERE shard = $partition AND verdict = 'Unsafe') AS unsafe,
    (SELECT count(*) FROM lake.reflected_corpus WHERE shard = $partition AND verdict = 'Controversial') AS controversial
FROM lake.fineweb AS documents
JOIN lake.scored_fineweb AS scores ON scores.shard = documents.shard AND scores.document_id = documents.document_id
LEFT JOIN covered ON covered.document_id = documents.document_id AND covered.text_hash = documents.text_hash
WHERE documents.shard = $partition;
