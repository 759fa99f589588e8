SELECT text
FROM lake.card_rows
WHERE dataset = $dataset AND slice = $slice;
