-- The newest outcome of each check counts: a check may run again on the same version. rowid grows with every commit,
-- whatever the clocks of the machines say.
SELECT check_name, arg_max(blocking, rowid) AS blocking, arg_max(passed, rowid) AS passed
FROM lake.gates
WHERE dataset = $dataset AND partition = $partition AND snapshot_id = $snapshot_id AND override_reason IS NULL
GROUP BY check_name
ORDER BY check_name;
