SELECT
    (SELECT count(*) FROM lake.generations) AS generations,
    (SELECT count(*) FROM lake.choice_scores) AS choice_scores;
