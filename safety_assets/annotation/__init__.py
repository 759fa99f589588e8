"""Labelled examples: packaged seeds, or an oracle language model asked with the rubric. Trains nothing."""
