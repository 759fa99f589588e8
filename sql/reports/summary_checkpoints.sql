SELECT shard AS recipe, parameters, tokens, final_loss, validation_perplexity, tokens_per_second
FROM lake.checkpoint
WHERE list_contains($recipes, shard)
ORDER BY list_position($recipes, shard);
