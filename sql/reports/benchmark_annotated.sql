SELECT DISTINCT text_hash
FROM lake.safety_annotations
WHERE split <> 'test';
