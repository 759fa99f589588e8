-- Which models had a part in each data set, and under which prompt.
CREATE VIEW dataset_models AS
SELECT 'scored_fineweb' AS dataset, 'embedding classifier' AS role, embedding_version AS name, '' AS revision, '' AS prompt_version
FROM lake.scored_fineweb
UNION
SELECT 'scored_fineweb', 'language-model scorer', split_part(llm_version, ' ', 1), split_part(llm_version, ' ', 2), split_part(llm_version, ' ', 3)
FROM lake.scored_fineweb
UNION
SELECT 'safeweb', 'retelling', model, model_revision, template FROM lake.safeweb
UNION
SELECT 'refuseweb', 'dialogues', model, model_revision, template FROM lake.refuseweb
UNION
SELECT 'moral_education', 'articles', model, model_revision, template FROM lake.moral_education
UNION
SELECT 'safety_annotations', 'labels', labeller, labeller_version, '' FROM lake.safety_annotations;
