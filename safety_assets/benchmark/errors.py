"""The one exception hierarchy of the benchmark. Each message says what was wrong, where, and what to do about it."""

from __future__ import annotations

from resources.errors import ResourceError

__all__ = ["BenchmarkError", "LabelFileError", "ScorerError"]


class BenchmarkError(ResourceError):
    """Scorers cannot be compared."""


class LabelFileError(BenchmarkError):
    """A file of labelled texts, or of rules for reading them, cannot be used."""


class ScorerError(BenchmarkError):
    """A scorer is unknown, lacks its model, or gave other than one score for each text."""
