-- How many annotations are not the packaged ones.
SELECT count(*) AS annotations FROM lake.safety_annotations WHERE labeller != $packaged;
