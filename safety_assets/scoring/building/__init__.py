"""How the packaged safety head is made: sources and licences, soft targets, composed windows, adapters, thresholds."""
