SELECT * FROM lake.benign_finetuned_checkpoint AS checkpoints /*at:benign_finetuned_checkpoint*/ WHERE shard = $recipe;
