SELECT request_key, text, finish_reason, prompt_tokens, completion_tokens
FROM lake.generations
WHERE shard = $partition AND request_key IN (SELECT unnest($keys));
