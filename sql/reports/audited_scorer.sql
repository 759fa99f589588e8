SELECT DISTINCT scorer FROM lake.score_audit;
