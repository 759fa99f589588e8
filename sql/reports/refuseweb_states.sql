SELECT state, count(*) AS count FROM lake.refuseweb WHERE shard = $partition GROUP BY state ORDER BY state;
