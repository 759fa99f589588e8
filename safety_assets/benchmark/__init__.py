"""Scorers compared on the same labelled texts, as they are and under attack. It scores nothing for the pipeline."""
