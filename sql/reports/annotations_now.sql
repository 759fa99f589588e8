-- Annotations as they stand, less those that another row for the same text takes the place of.
SELECT *
FROM lake.safety_annotations /*at:safety_annotations*/
WHERE shard = 'all' AND text_hash NOT IN (SELECT unnest($replaced::VARCHAR[]))
ORDER BY annotation_id;
