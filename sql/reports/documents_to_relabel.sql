-- Texts worth a label: first those whose scorers are furthest apart, then those whose levels the classifier finds hardest
-- to tell apart (entropy), then some of the others at random. Each text once, the same ones however they are sharded.
-- Where the language model is not $heard, only the classifier's own doubt counts. Scores of a text that has since been replaced do not count. $closed are never drawn; of $among only, where it is given.
WITH candidates AS (
    SELECT
        scores.shard,
        scores.document_id,
        scores.text_hash,
        scores.safety_score,
        scores.category,
        CASE WHEN $heard THEN coalesce(abs(scores.embedding_score - scores.llm_score), 0) ELSE 0 END AS disagreement,
        coalesce(list_sum([
            CASE WHEN share > 0 THEN -share * ln(share) ELSE 0 END FOR share IN scores.embedding_probabilities
        ]), 0) AS undecided
    FROM lake.scored_fineweb AS scores
    JOIN lake.fineweb AS documents
        ON documents.shard = scores.shard AND documents.document_id = scores.document_id
            AND documents.text_hash = scores.text_hash
    WHERE list_contains($shards::VARCHAR[], scores.shard)
        AND scores.embedding_state = 'scored'
        AND scores.text_hash NOT IN (SELECT unnest($closed::VARCHAR[]))
        AND ($among::VARCHAR[] IS NULL OR scores.text_hash IN (SELECT unnest($among::VARCHAR[])))
    QUALIFY row_number() OVER (PARTITION BY scores.text_hash ORDER BY scores.document_id, scores.shard) = 1
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY disagreement DESC, undecided DESC, text_hash) AS place FROM candidates
),
drawn AS (
    SELECT *
    FROM ranked
    QUALIFY place <= $hardest
        OR row_number() OVER (PARTITION BY place <= $hardest ORDER BY md5(text_hash)) <= $at_random
)
SELECT drawn.document_id, drawn.text_hash, documents.text, drawn.safety_score, drawn.category, drawn.disagreement
FROM drawn
JOIN lake.fineweb AS documents
    ON documents.shard = drawn.shard AND documents.document_id = drawn.document_id
        AND documents.text_hash = drawn.text_hash
ORDER BY drawn.place;
