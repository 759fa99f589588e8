"""The one exception hierarchy of the report cards.

Each message says what was wrong, where, and what to do about it.
"""

__all__ = ["CardError", "IndexBuildError", "QueryError", "ReportCardError"]


class ReportCardError(Exception):
    """A report card cannot be made."""


class QueryError(ReportCardError):
    """A list of n-gram queries is missing, empty or malformed."""


class IndexBuildError(ReportCardError):
    """infini-gram failed, or the table it wrote is not the suffix array of the text."""


class CardError(ReportCardError):
    """Counts that contradict each other, or JSON that is no report card."""
