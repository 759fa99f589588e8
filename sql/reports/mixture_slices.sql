SELECT DISTINCT slice
FROM lake.tokenized_mixture AS windows /*at:tokenized_mixture*/
WHERE shard = $recipe AND split = 'train'
ORDER BY slice;
