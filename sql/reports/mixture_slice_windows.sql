SELECT token_ids
FROM lake.tokenized_mixture AS windows /*at:tokenized_mixture*/
WHERE shard = $recipe AND slice = $slice AND split = 'train'
ORDER BY position;
