"""The one exception hierarchy of the adapters.

Each message says what was wrong, where, and what to do about it, in one sentence.
"""

__all__ = ["GateError", "LakeError", "LanguageModelError", "ModelStoreError", "ProfileError", "ResourceError"]


class ResourceError(Exception):
    """Something outside the process could not be used."""


class ProfileError(ResourceError):
    """A profile is unknown or malformed."""


class LakeError(ResourceError):
    """The lake could not be opened, read or written."""


class GateError(LakeError):
    """An input has not passed its gates at the snapshot that would be read."""


class ModelStoreError(ResourceError):
    """A model is not where it was said to be, or cannot be prepared."""


class LanguageModelError(ResourceError):
    """A language model or its server could not be reached or refused to work at all."""
