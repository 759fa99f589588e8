SELECT DISTINCT role, name, revision, prompt_version
FROM lake.dataset_models
WHERE dataset = $dataset
ORDER BY ALL;
