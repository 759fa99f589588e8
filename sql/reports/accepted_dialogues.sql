SELECT document_id, source_score, harm, turns
FROM lake.refuseweb /*at:refuseweb*/
WHERE shard = $partition AND state = 'accepted'
ORDER BY document_id;
