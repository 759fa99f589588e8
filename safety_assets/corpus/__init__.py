"""From shards of web text to validated documents, each rejected row accounted for."""
