"""What can go wrong in training."""

from __future__ import annotations

from resources.errors import ResourceError

__all__ = ["TrainingError"]


class TrainingError(ResourceError):
    """A model, setting or state that cannot be trained with."""
