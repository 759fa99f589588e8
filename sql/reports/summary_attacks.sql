SELECT judge, recipe, stage, decoding, attack, value, low, high
FROM lake.ablation_table
WHERE measure = 'attack_success' AND part = 'whole' AND list_contains($recipes, recipe)
ORDER BY judge, list_position($recipes, recipe), list_position(['base', 'instruct', 'finetuned'], stage), attack, decoding;
