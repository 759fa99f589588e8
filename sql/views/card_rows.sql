-- What a report card counts: every document of a data set in exactly one slice, with its score, tokens and text.
-- safeweb_sources are the originals of what SafeWeb accepted, for the comparison.
CREATE VIEW card_rows AS
SELECT 'fineweb' AS dataset, shard, 'all documents' AS slice, NULL::TINYINT AS score, token_count AS tokens, text
FROM lake.fineweb
UNION ALL
SELECT
    'scored_fineweb',
    scores.shard,
    CASE
        WHEN scores.safety_score IS NULL THEN 'not scored'
        WHEN scores.safety_score = 0 THEN 'score 0'
        WHEN scores.safety_score <= 3 THEN 'scores 1-3'
        ELSE 'scores 4-5'
    END,
    scores.safety_score,
    scores.tokens,
    documents.text
FROM lake.scored_fineweb AS scores
JOIN lake.fineweb AS documents
    ON documents.shard = scores.shard AND documents.document_id = scores.document_id
UNION ALL
SELECT 'safeweb', shard, 'rephrased', score_after, tokens, text
FROM lake.safeweb
WHERE state = 'accepted'
UNION ALL
SELECT 'safeweb_sources', retold.shard, 'original', retold.source_score, retold.source_tokens, documents.text
FROM lake.safeweb AS retold
JOIN lake.fineweb AS documents
    ON documents.shard = retold.shard AND documents.document_id = retold.document_id
WHERE retold.state = 'accepted'
UNION ALL
SELECT 'refuseweb', shard, 'dialogues', score_after, tokens, turns[1].content || chr(10) || turns[2].content
FROM lake.refuseweb
WHERE state = 'accepted'
UNION ALL
SELECT 'moral_education', shard, 'articles', score_after, tokens, text
FROM lake.moral_education
WHERE state = 'accepted'
UNION ALL
SELECT 'safety_annotations', shard, split, score, NULL::BIGINT, text
FROM lake.safety_annotations
UNION ALL
-- One card per recipe; a document that is repeated counts as often as it is trained on.
SELECT 'tokenized_mixture.' || recipe, source_shard, slice, score, (token_end - token_start)::BIGINT, text
FROM lake.mixture_spans
WHERE split = 'train' AND text IS NOT NULL;
