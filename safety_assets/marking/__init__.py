"""Marks that stand beside text: where the harmfulness tag goes, and what is reflected on after each segment.

Marks are positions and verdicts; how they become training text is decided in ``rendering``.
"""
