-- Checks on the versions that the partitions have now; the newest outcome of each counts.
WITH current AS (
    SELECT partition, max(snapshot_id) AS snapshot_id FROM lake.commits
    WHERE dataset = $dataset AND ($partition IS NULL OR partition = $partition)
    GROUP BY partition
),
outcomes AS (
    SELECT gates.check_name, gates.partition, arg_max(gates.passed, gates.recorded_at) AS passed
    FROM lake.gates AS gates
    JOIN current ON current.partition = gates.partition AND current.snapshot_id = gates.snapshot_id
    WHERE gates.dataset = $dataset AND gates.override_reason IS NULL
    GROUP BY gates.check_name, gates.partition
)
SELECT check_name, count(*) FILTER (WHERE passed) AS passed, count(*) FILTER (WHERE NOT passed) AS failed
FROM outcomes
GROUP BY check_name
ORDER BY check_name;
