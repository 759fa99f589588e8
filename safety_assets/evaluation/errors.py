"""The one exception hierarchy of evaluation. Each message says what was wrong, where, and what to do about it."""

from __future__ import annotations

from resources.errors import ResourceError

__all__ = ["AblationError", "AnswerError", "EvaluationError", "JudgeError", "PromptSetError", "TaskError"]


class EvaluationError(ResourceError):
    """A model cannot be evaluated."""


class PromptSetError(EvaluationError):
    """A prompt set is missing, empty or malformed."""


class AnswerError(EvaluationError):
    """Answers that cannot be made or kept."""


class JudgeError(EvaluationError):
    """A judge gave other than one verdict for each answer."""


class TaskError(EvaluationError):
    """A task of general ability is missing, malformed or failed."""


class AblationError(EvaluationError):
    """Results that cannot be set side by side."""
