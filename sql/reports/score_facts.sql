WITH segments AS (
    SELECT document_id, max(score) AS highest, count(*) AS segments
    FROM lake.segment_labels
    WHERE shard = $partition
    GROUP BY document_id
)
SELECT
    count(*) AS rows,
    count(DISTINCT scores.document_id) AS distinct_ids,
    count(documents.document_id) AS matched,
    (SELECT count(*) FROM lake.fineweb WHERE shard = $partition) AS documents,
    coalesce(sum(scores.tokens), 0)::BIGINT AS tokens,
    count(*) FILTER (WHERE scores.safety_score IS NULL) AS unscored,
    count(*) FILTER (
        WHERE (scores.safety_score IS NOT NULL) != (scores.state = 'scored')
            OR (scores.embedding_score IS NOT NULL) != (scores.embedding_state = 'scored')
            OR (scores.llm_score IS NOT NULL) != (scores.llm_state = 'scored')
            OR (scores.state = 'scored') != (scores.embedding_state = 'scored' AND scores.llm_state = 'scored')
            OR (coalesce(scores.ensemble, 'maximum') = 'maximum' AND scores.safety_score != greatest(scores.embedding_score, scores.llm_score))
    ) AS wrong_scores,
    count(*) FILTER (
        WHERE scores.embedding_state = 'scored'
            AND (segments.segments IS NULL OR segments.highest > scores.embedding_score)
    ) AS wrong_segments
FROM lake.scored_fineweb AS scores
LEFT JOIN lake.fineweb AS documents
    ON documents.shard = scores.shard AND documents.document_id = scores.document_id
    AND documents.text_hash = scores.text_hash
LEFT JOIN segments ON segments.document_id = scores.document_id
WHERE scores.shard = $partition;
