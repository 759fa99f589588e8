WITH reflected AS (
    SELECT
        shard, document_id, text_hash,
        list({'char_start': char_start, 'char_end': char_end, 'verdict': verdict, 'category': category} ORDER BY char_start) AS segments
    FROM lake.reflected_corpus AS segments /*at:reflected_corpus*/
    WHERE list_contains($shards, shard)
    GROUP BY shard, document_id, text_hash
)
SELECT
    'reflected_corpus' AS dataset, documents.shard AS source_shard, documents.document_id, documents.text_hash,
    documents.text, reflected.segments
FROM lake.fineweb AS documents /*at:fineweb*/
JOIN reflected
    ON reflected.shard = documents.shard AND reflected.document_id = documents.document_id
    AND reflected.text_hash = documents.text_hash
WHERE list_contains($shards, documents.shard)
QUALIFY row_number() OVER (PARTITION BY documents.text_hash ORDER BY documents.document_id, documents.shard) = 1
ORDER BY md5($order || documents.text_hash), documents.document_id;
