SELECT
    count(*) AS rows,
    count(DISTINCT position) AS positions,
    count(*) FILTER (WHERE split = 'train') AS windows,
    count(*) FILTER (WHERE split = 'validation') AS validation_windows,
    count(*) FILTER (WHERE len(token_ids) != $length OR len(loss_mask) != $length) AS wrong_lengths,
    count(*) FILTER (
        WHERE list_sum(list_transform(spans, lambda span: span.token_end - span.token_start)) != $length
    ) AS wrong_spans,
    (
        SELECT count(*)
        FROM (
            SELECT text_hash
            FROM (SELECT DISTINCT split, unnest(list_transform(spans, lambda span: span.text_hash)) AS text_hash
                FROM lake.tokenized_mixture WHERE shard = $partition)
            GROUP BY text_hash
            HAVING count(DISTINCT split) > 1
        )
    ) AS in_two_splits
FROM lake.tokenized_mixture
WHERE shard = $partition;
