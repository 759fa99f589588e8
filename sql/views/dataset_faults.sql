-- Why rows or answers of each data set were rejected or held back, with how often.
CREATE VIEW dataset_faults AS
SELECT 'fineweb' AS dataset, reason AS fault, count(*) AS count FROM lake.quarantine GROUP BY reason
UNION ALL
SELECT 'safeweb', 'document held back: ' || state, count(*) FROM lake.safeweb WHERE state != 'accepted' GROUP BY state
UNION ALL
SELECT 'safeweb', 'answer rejected: ' || fault, count(*)
FROM (SELECT unnest(rejected_answers) AS fault FROM lake.safeweb) GROUP BY fault
UNION ALL
SELECT 'refuseweb', 'document held back: ' || state, count(*) FROM lake.refuseweb WHERE state != 'accepted' GROUP BY state
UNION ALL
SELECT 'refuseweb', 'answer rejected: ' || fault, count(*)
FROM (SELECT unnest(rejected_answers) AS fault FROM lake.refuseweb) GROUP BY fault
UNION ALL
SELECT 'moral_education', 'dialogue held back: ' || state, count(*) FROM lake.moral_education WHERE state != 'accepted' GROUP BY state
UNION ALL
SELECT 'moral_education', 'answer rejected: ' || fault, count(*)
FROM (SELECT unnest(rejected_answers) AS fault FROM lake.moral_education) GROUP BY fault;
