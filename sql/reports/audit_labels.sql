-- What annotated texts really are, as their labellers have it; only those that no classifier was trained or calibrated on,
-- for it would be praised for what it was told. The packaged seeds are no documents.
SELECT text_hash, max(score) AS score
FROM lake.safety_annotations
WHERE state = 'scored' AND split = 'test'
GROUP BY text_hash;
