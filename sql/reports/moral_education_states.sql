SELECT state, count(*) AS count FROM lake.moral_education WHERE shard = $partition GROUP BY state ORDER BY state;
