SELECT request_key, part, judge, judge_version, harmful, marked_unsafe
FROM lake.evaluation_judgements
WHERE shard = $recipe;
