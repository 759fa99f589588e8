-- Snapshots that nobody may ask for: old, not the newest, and no version of any partition. The ledger names every
-- version that a gate, a report card or a training window can refer to.
SELECT snapshot_id
FROM lake.snapshots()
WHERE
    snapshot_time < $before
    AND snapshot_id NOT IN (SELECT snapshot_id FROM lake.commits)
    AND snapshot_id < (SELECT max(snapshot_id) FROM lake.snapshots())
ORDER BY snapshot_id;
