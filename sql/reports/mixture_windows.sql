SELECT token_ids, loss_mask
FROM lake.tokenized_mixture AS windows /*at:tokenized_mixture*/
WHERE shard = $recipe AND split = $split
ORDER BY position;
