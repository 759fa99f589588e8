"""Evaluation: attack success, over-refusal, overlap, general ability, and the table that sets recipes side by side."""
