SELECT state, count(*) AS count FROM lake.safeweb WHERE shard = $partition GROUP BY state ORDER BY state;
