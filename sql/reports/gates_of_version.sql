-- The newest outcome of each check counts: a check may run again on the same version.
SELECT check_name, blocking, arg_max(passed, recorded_at) AS passed
FROM lake.gates
WHERE dataset = $dataset AND partition = $partition AND snapshot_id = $snapshot_id AND override_reason IS NULL
GROUP BY check_name, blocking
ORDER BY check_name;
