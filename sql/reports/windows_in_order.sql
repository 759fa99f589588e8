SELECT * FROM read_parquet($file) ORDER BY position;
