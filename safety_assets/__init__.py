"""Safety pretraining as software-defined assets. ``definitions.py`` is the entry point."""
