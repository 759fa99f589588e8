SELECT request_key, log_probabilities
FROM lake.choice_scores
WHERE shard = $partition AND request_key IN (SELECT unnest($keys));
