-- What this connection committed last; the current snapshot where a write had nothing to commit.
SELECT coalesce(
    (SELECT id FROM lake.last_committed_snapshot()),
    (SELECT id FROM lake.current_snapshot())
) AS snapshot_id;
