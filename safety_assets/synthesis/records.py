"""The records that pass through synthesis: a source document in, a synthetic text with its history out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from resources.language_model import LanguageModel
from safety_assets.generation import AnswerStore, Usage

__all__ = ["ACCEPTED", "MAX_SAFE_SCORE", "Rescorer", "SourceDocument", "SynthesisSettings", "Synthesiser"]

# The state of a text that may be trained on; every other state is the name of a fault.
ACCEPTED = "accepted"
# A synthetic text, and each of its sentences alone, may score this much: a sensitive topic is explained, not
# erased (SP section 3.2), so level 1 (fine for teenagers) passes.
MAX_SAFE_SCORE = 1


@dataclass(frozen=True)
class SourceDocument:
    """A scored web document, as synthesis sees it."""

    document_id: str
    text: str
    text_hash: str
    score: int
    category: str
    tokens: int


class Rescorer(Protocol):
    """Scores synthetic text as the sources were scored; None where no score could be made."""

    def sentences(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each sentence read alone."""
        ...

    def documents(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each whole text, by the ensemble that scored the sources."""
        ...


@dataclass(frozen=True)
class SynthesisSettings:
    """Sizes and sampling of synthesis; the profile sets them."""

    chunk: int = 32
    attempts: int = 3
    passage_words: int = 80
    passage_tokens: int = 64
    max_passages: int = 8
    guided: bool = True
    temperature: float = 0.4
    top_p: float = 0.9
    # Documents worked on together; bounds memory, and fills the model's batches.
    group: int = 16


@dataclass
class Synthesiser:
    """What every synthesis needs: a model, the store of its answers, a re-scorer, settings, and the usage so far."""

    model: LanguageModel
    store: AnswerStore
    rescorer: Rescorer
    settings: SynthesisSettings
    usage: Usage = field(default_factory=Usage)
    progress: Callable[[Usage], None] | None = None
