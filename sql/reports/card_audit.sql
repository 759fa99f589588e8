SELECT scorer, judge, judge_version, measure, level, value, low, high, judged, documents, sampled, unjudged, shards
FROM lake.score_audit
WHERE scorer = $scorer
ORDER BY measure, level;
