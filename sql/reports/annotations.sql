SELECT annotation_id, text, score, category, split, labeller
FROM lake.safety_annotations /*at:safety_annotations*/
WHERE state = 'scored'
ORDER BY annotation_id;
