SELECT snapshot_id, rows
FROM lake.commits
WHERE dataset = $dataset AND partition = $partition
ORDER BY snapshot_id DESC
LIMIT 1;
