SELECT * FROM lake.instruct_checkpoint AS checkpoints /*at:instruct_checkpoint*/ WHERE shard = $recipe;
