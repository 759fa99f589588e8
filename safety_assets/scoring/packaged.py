"""The packaged classifier: trained on permissively licensed sources and this project's own texts; see heads/MODEL_CARD.md."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from safety_assets.scoring.classifier import SafetyClassifier

__all__ = ["PACKAGED_ENCODER", "packaged_classifier"]

# The encoder that it was made for, by the name in ``resources/model_store.py``.
PACKAGED_ENCODER = "all-MiniLM-L6-v2"
HEAD = Path(__file__).parent / "heads" / "minilm.npz"


@lru_cache(maxsize=1)
def packaged_classifier() -> SafetyClassifier:
    """The packaged classifier, over all-MiniLM-L6-v2."""
    return SafetyClassifier.from_bytes(HEAD.read_bytes())
