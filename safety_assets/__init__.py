"""Safety pretraining as software-defined assets. ``definitions.py`` is the entry point."""

import warnings

# Backfill policies and check specs are beta in the pinned Dagster; saying so on every load helps nobody.
warnings.filterwarnings("ignore", message=r"(?:Parameter|Class|Function) .* is currently in (?:beta|preview)")
