"""Auditing scores: a sample judged by an oracle, corrected to the corpus (SP section 3.1: bootstrapped filtering)."""
