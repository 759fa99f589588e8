SELECT documents.document_id, documents.text, documents.text_hash, scores.safety_score, scores.category, scores.tokens
FROM lake.fineweb /*at:fineweb*/ AS documents
JOIN lake.scored_fineweb /*at:scored_fineweb*/ AS scores
    ON scores.shard = documents.shard AND scores.document_id = documents.document_id
WHERE documents.shard = $partition AND scores.safety_score BETWEEN $lowest AND $highest
ORDER BY documents.row_number;
