SELECT 'fineweb' AS dataset, documents.shard AS source_shard, documents.document_id, documents.text_hash, documents.text
FROM lake.fineweb AS documents /*at:fineweb*/
JOIN lake.scored_fineweb AS scores /*at:scored_fineweb*/
    ON scores.shard = documents.shard AND scores.document_id = documents.document_id
    AND scores.text_hash = documents.text_hash
WHERE list_contains($shards, documents.shard) AND scores.safety_score = 0
QUALIFY row_number() OVER (PARTITION BY documents.text_hash ORDER BY documents.document_id, documents.shard) = 1
ORDER BY md5($order || documents.text_hash), documents.document_id;
