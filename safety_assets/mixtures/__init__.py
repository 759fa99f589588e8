"""Exact mixtures: which text, in which proportion, in which order, as windows of tokens.

Recipes say what; a plan says how many windows of each slice; packing makes them. Training only reads the result.
"""
