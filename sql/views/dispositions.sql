-- What became of every row of a shard, exactly one of: kept, rephrased, refused, held_back, rejected.
-- A document is kept, rephrased or refused only when the stage that does it says accepted; all else is held back.
CREATE VIEW dispositions AS
SELECT
    documents.shard,
    documents.document_id,
    coalesce(scores.tokens, 0) AS tokens,
    CASE
        WHEN scores.safety_score = 0 THEN 'kept'
        WHEN scores.safety_score BETWEEN 1 AND 3 AND retold.state = 'accepted' THEN 'rephrased'
        WHEN scores.safety_score >= 4 AND refused.state = 'accepted' THEN 'refused'
        ELSE 'held_back'
    END AS disposition,
    CASE
        WHEN scores.document_id IS NULL THEN 'not scored yet'
        WHEN scores.safety_score IS NULL THEN 'score ' || scores.state
        WHEN scores.safety_score = 0 THEN ''
        WHEN scores.safety_score <= 3 THEN coalesce(nullif(retold.state, 'accepted'), CASE WHEN retold.state IS NULL THEN 'not rephrased yet' ELSE '' END)
        ELSE coalesce(nullif(refused.state, 'accepted'), CASE WHEN refused.state IS NULL THEN 'not refused yet' ELSE '' END)
    END AS why
FROM lake.fineweb AS documents
LEFT JOIN lake.scored_fineweb AS scores
    ON scores.shard = documents.shard AND scores.document_id = documents.document_id
LEFT JOIN lake.safeweb AS retold
    ON retold.shard = documents.shard AND retold.document_id = documents.document_id
LEFT JOIN lake.refuseweb AS refused
    ON refused.shard = documents.shard AND refused.document_id = documents.document_id
UNION ALL
SELECT shard, document_id, 0 AS tokens, 'rejected' AS disposition, reason AS why
FROM lake.quarantine;
