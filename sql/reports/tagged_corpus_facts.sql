SELECT
    (SELECT count(*) FROM lake.tagged_corpus WHERE shard = $partition) AS rows,
    (SELECT count(*) FROM lake.scored_fineweb WHERE shard = $partition AND safety_score >= 1) AS sources,
    count(*) AS matched,
    count(*) FILTER (WHERE scores.safety_score IS NULL OR scores.safety_score < 1) AS safe,
    coalesce(sum(tagged.words), 0)::BIGINT AS words,
    coalesce(sum(len(tagged.positions)), 0)::BIGINT AS tags,
    coalesce(sum(greatest(tagged.words - 1, 0)), 0)::BIGINT AS places,
    coalesce(max(tagged.rate), 0) AS rate
FROM lake.tagged_corpus AS tagged
JOIN lake.scored_fineweb AS scores
    ON scores.shard = tagged.shard AND scores.document_id = tagged.document_id AND scores.text_hash = tagged.text_hash
WHERE tagged.shard = $partition;
