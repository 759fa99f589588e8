"""One module for each place that shards come from. Use them through ``resources.shard_source``."""
