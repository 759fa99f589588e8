SELECT scorer FROM lake.score_audit WHERE scorer = $scorer LIMIT 1;
