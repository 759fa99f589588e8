WITH scored AS (SELECT * FROM lake.safety_annotations WHERE state = 'scored'),
cells AS (SELECT score, split, count(*) AS examples FROM scored GROUP BY score, split)
SELECT
    (SELECT count(*) FROM lake.safety_annotations WHERE state != 'scored') AS not_scored,
    count(*) FILTER (
        WHERE score IS NULL OR score NOT BETWEEN 0 AND 5 OR (score = 0) != (category = 'none')
            OR split NOT IN ('train', 'calibration', 'test')
    ) + count(*) - count(DISTINCT annotation_id) AS faulty,
    (SELECT count(*) FROM cells) AS cells,
    (SELECT min(examples) FROM cells) AS fewest,
    count(*) FILTER (WHERE score = 0) AS score_0,
    count(*) FILTER (WHERE score = 1) AS score_1,
    count(*) FILTER (WHERE score = 2) AS score_2,
    count(*) FILTER (WHERE score = 3) AS score_3,
    count(*) FILTER (WHERE score = 4) AS score_4,
    count(*) FILTER (WHERE score = 5) AS score_5
FROM scored;
