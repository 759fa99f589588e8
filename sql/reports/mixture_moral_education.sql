SELECT
    'moral_education' AS dataset, articles.shard AS source_shard, articles.document_id,
    refused.source_text_hash AS text_hash, articles.text
FROM lake.moral_education AS articles /*at:moral_education*/
JOIN lake.refuseweb AS refused /*at:refuseweb*/
    ON refused.shard = articles.shard AND refused.document_id = articles.document_id
WHERE list_contains($shards, articles.shard) AND articles.state = 'accepted'
QUALIFY row_number() OVER (PARTITION BY refused.source_text_hash ORDER BY articles.document_id, articles.shard) = 1
ORDER BY md5($order || refused.source_text_hash), articles.document_id;
