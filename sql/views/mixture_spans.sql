-- Every span of every training window, followed back: its text, its source document, and what made and scored it.
CREATE VIEW mixture_spans AS
WITH spans AS (
    SELECT shard AS recipe, position, split, slice, unnest(spans) AS span FROM lake.tokenized_mixture
),
texts AS (
    SELECT 'fineweb' AS dataset, shard, document_id, text, NULL AS style, NULL AS template, NULL AS model, NULL::TINYINT AS score_after
    FROM lake.fineweb
    UNION ALL
    SELECT 'safeweb', shard, document_id, text, style, template, model, score_after FROM lake.safeweb WHERE state = 'accepted'
    UNION ALL
    SELECT 'refuseweb', shard, document_id, ' ' || turns[1].content || ' ' || turns[2].content, harm, template, model, score_after
    FROM lake.refuseweb WHERE state = 'accepted'
    UNION ALL
    SELECT 'moral_education', shard, document_id, text, harm, template, model, score_after
    FROM lake.moral_education WHERE state = 'accepted'
)
SELECT
    spans.recipe,
    spans.position,
    spans.split,
    spans.slice,
    spans.span.dataset AS dataset,
    spans.span.source_shard AS source_shard,
    spans.span.document_id AS document_id,
    spans.span.text_hash AS source_text_hash,
    spans.span.char_start AS char_start,
    spans.span.char_end AS char_end,
    spans.span.token_start AS token_start,
    spans.span.token_end AS token_end,
    -- Tags and reflections stand beside their document's own text.
    texts.text[spans.span.char_start + 1:spans.span.char_end] AS text,
    texts.style,
    texts.template,
    texts.model,
    scores.safety_score AS source_score,
    scores.category AS source_category,
    scores.embedding_version,
    scores.llm_version,
    CASE WHEN texts.dataset = 'fineweb' THEN scores.safety_score ELSE texts.score_after END AS score
FROM spans
LEFT JOIN texts
    ON texts.shard = spans.span.source_shard AND texts.document_id = spans.span.document_id
    AND texts.dataset = CASE spans.span.dataset
        WHEN 'tagged_corpus' THEN 'fineweb' WHEN 'reflected_corpus' THEN 'fineweb' ELSE spans.span.dataset
    END
LEFT JOIN lake.scored_fineweb AS scores
    ON scores.shard = spans.span.source_shard AND scores.document_id = spans.span.document_id;
