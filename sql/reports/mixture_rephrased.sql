SELECT 'safeweb' AS dataset, shard AS source_shard, document_id, source_text_hash AS text_hash, text
FROM lake.safeweb AS retold /*at:safeweb*/
WHERE list_contains($shards, shard) AND state = 'accepted'
QUALIFY row_number() OVER (PARTITION BY source_text_hash ORDER BY document_id, shard) = 1
ORDER BY md5($order || source_text_hash), document_id;
