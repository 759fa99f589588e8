SELECT 'fineweb' AS dataset, shard AS source_shard, document_id, text_hash, text
FROM lake.fineweb AS documents /*at:fineweb*/
WHERE list_contains($shards, shard)
QUALIFY row_number() OVER (PARTITION BY text_hash ORDER BY document_id, shard) = 1
ORDER BY md5($order || text_hash), document_id;
