-- One row per input, all seen at one moment: its current version, how many checks ran on that version, and which of
-- the blocking ones failed. The newest outcome of each check counts; rowid grows with every commit.
WITH inputs AS (
    SELECT unnest($datasets) AS dataset, unnest($partitions) AS partition
),
versions AS (
    SELECT
        inputs.dataset,
        inputs.partition,
        max(commits.snapshot_id) AS snapshot_id,
        arg_max(commits.rows, commits.snapshot_id) AS rows
    FROM inputs
    INNER JOIN lake.commits AS commits
        ON commits.dataset = inputs.dataset AND commits.partition = inputs.partition
    GROUP BY ALL
),
outcomes AS (
    SELECT
        versions.dataset,
        versions.partition,
        gates.check_name,
        arg_max(gates.blocking, gates.rowid) AND NOT arg_max(gates.passed, gates.rowid) AS failed
    FROM versions
    INNER JOIN lake.gates AS gates
        ON
            gates.dataset = versions.dataset
            AND gates.partition = versions.partition
            AND gates.snapshot_id = versions.snapshot_id
    WHERE gates.override_reason IS NULL
    GROUP BY ALL
)
SELECT
    versions.dataset,
    versions.partition,
    versions.snapshot_id,
    versions.rows,
    count(outcomes.check_name) AS checks,
    coalesce(list(outcomes.check_name ORDER BY outcomes.check_name) FILTER (outcomes.failed), []) AS failed
FROM versions
LEFT JOIN outcomes
    ON outcomes.dataset = versions.dataset AND outcomes.partition = versions.partition
GROUP BY ALL;
