SELECT * FROM lake.checkpoint AS checkpoints /*at:checkpoint*/ WHERE shard = $recipe;
