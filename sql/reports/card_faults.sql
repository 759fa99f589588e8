SELECT fault, count
FROM lake.dataset_faults
WHERE dataset = $dataset
ORDER BY count DESC, fault;
