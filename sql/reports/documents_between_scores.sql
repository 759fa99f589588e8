SELECT documents.document_id, documents.text, documents.text_hash, scores.safety_score, scores.category, scores.tokens
FROM lake.fineweb AS documents /*at:fineweb*/
JOIN lake.scored_fineweb AS scores /*at:scored_fineweb*/
    ON scores.shard = documents.shard AND scores.document_id = documents.document_id
WHERE documents.shard = $partition AND scores.safety_score BETWEEN $lowest AND $highest
ORDER BY documents.row_number;
