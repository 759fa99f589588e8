"""Which encoder a profile means: an embedding, a released classifier, or one that was trained here from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resources.profile import EncoderProfile, safety_home

if TYPE_CHECKING:
    from resources.encoder import TextEncoder

__all__ = ["encoders_home", "named_encoder", "open_profile_encoder"]


def encoders_home() -> Path:
    """Folder of the encoders that were trained here, one folder each."""
    return safety_home() / "encoders"


def named_encoder(profile: EncoderProfile, name: str, home: Path) -> EncoderProfile:
    """How to open the encoder of this name: one trained from the profile's, else the profile's itself.

    Args:
        name: as ``safety_classifier`` keeps it.
        home: of trained encoders.
    """
    model = profile.model.removeprefix("package:")
    base = Path(model).expanduser().name if Path(model).expanduser().is_dir() else model.replace("/", "--")
    if Path(name).name != name or not name.startswith(f"{base}-") or not (home / name).is_dir():
        return profile
    return profile.model_copy(update={"model": str(home / name), "preset": None, "revision": None})


def open_profile_encoder(profile: EncoderProfile, models_cache: Path) -> TextEncoder:
    """Load what a profile names, of either kind.

    Raises:
        ModelStoreError: see :func:`open_encoder` and :func:`open_sequence_classifier`.
    """
    if profile.kind == "classifier":
        from resources.sequence_classifier import open_sequence_classifier

        return open_sequence_classifier(profile, models_cache)
    from resources.encoder import open_encoder

    return open_encoder(profile, models_cache)
