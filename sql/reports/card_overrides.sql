SELECT DISTINCT gates.dataset || '[' || gates.partition || '] ' || gates.check_name AS gate, gates.override_reason AS reason
FROM lake.gates AS gates
WHERE gates.override_reason IS NOT NULL AND list_contains($datasets, gates.dataset)
    AND ($partition IS NULL OR gates.partition = $partition)
ORDER BY ALL;
