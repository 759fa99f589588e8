SELECT table_name, column_name, data_type, is_nullable
FROM duckdb_columns()
WHERE database_name = $database
ORDER BY table_name, column_index;
