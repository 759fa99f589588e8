SELECT min(document_id) AS document_id, text_hash, any_value(text) AS text
FROM lake.fineweb
GROUP BY text_hash
ORDER BY text_hash
LIMIT $count;
