SELECT
    count(*) AS documents,
    count(DISTINCT document_id) AS distinct_ids,
    count(*) FILTER (
        WHERE document_id = '' OR text_hash != sha256(text) OR trim(text) = ''
    ) AS faulty,
    (SELECT count(*) FROM lake.quarantine WHERE shard = $partition) AS quarantined
FROM lake.fineweb
WHERE shard = $partition;
