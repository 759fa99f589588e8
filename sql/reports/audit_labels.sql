-- What annotated texts really are, as their labellers have it; the packaged seeds are no documents.
SELECT text_hash, max(score) AS score
FROM lake.safety_annotations
WHERE state = 'scored'
GROUP BY text_hash;
