SELECT version, encoder, encoder_revision, head, confirmation, llm_thresholds, combination, metrics, annotations_snapshot_id
FROM lake.safety_classifier
ORDER BY annotations_snapshot_id DESC
LIMIT 1;
