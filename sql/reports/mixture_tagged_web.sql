SELECT
    'tagged_corpus' AS dataset, documents.shard AS source_shard, documents.document_id, documents.text_hash,
    documents.text, tagged.positions
FROM lake.fineweb AS documents /*at:fineweb*/
JOIN lake.tagged_corpus AS tagged /*at:tagged_corpus*/
    ON tagged.shard = documents.shard AND tagged.document_id = documents.document_id
    AND tagged.text_hash = documents.text_hash
WHERE list_contains($shards, documents.shard)
QUALIFY row_number() OVER (PARTITION BY documents.text_hash ORDER BY documents.document_id, documents.shard) = 1
ORDER BY md5($order || documents.text_hash), documents.document_id;
