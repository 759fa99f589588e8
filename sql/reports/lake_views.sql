-- The comment of a view holds the hash of the file it was made from.
SELECT view_name, comment
FROM duckdb_views()
WHERE database_name = 'lake';
