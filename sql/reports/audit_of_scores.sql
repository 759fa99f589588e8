-- The audit, if it could tell the precision of scores that are refused and is of the classifier that gave this shard's:
-- scores of another one, from before a training, are not what it looked at.
SELECT DISTINCT audits.scorer
FROM lake.score_audit AS audits
WHERE audits.measure = 'precision' AND audits.level = $level AND audits.value IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM lake.scored_fineweb AS scores /*at:scored_fineweb*/
        WHERE scores.shard = $partition AND scores.safety_score IS NOT NULL
            AND NOT starts_with(scores.embedding_version, audits.scorer || ' ')
    );
