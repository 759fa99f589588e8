-- An audit of this classifier that could tell the precision of scores that are refused.
SELECT scorer
FROM lake.score_audit
WHERE scorer = $scorer AND measure = 'precision' AND level = $level AND value IS NOT NULL
LIMIT 1;
