SELECT partition, max(snapshot_id) AS snapshot_id, arg_max(rows, snapshot_id) AS rows
FROM lake.commits
WHERE dataset = $dataset
GROUP BY partition
ORDER BY partition;
