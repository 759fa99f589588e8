"""Reading documents with the classifier: windows, votes, levels, categories and segments.

Every document is read plainly; one that hides words (spelled out, encoded, written with digits) is read a second time
as what it hides, and the worse reading counts for each level. Windows that are mostly mask are judged in the second
reading alone: what they look like is no language, and a classifier of language guesses. Segments are of the plain reading.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from resources.encoder import EncodedTexts
from resources.encoder_adapter import EncoderAdapter
from safety_assets.harms import HarmCategory
from safety_assets.scoring.calibration import level_probabilities
from safety_assets.scoring.classifier import MOST_LOG_ODDS, SafetyClassifier
from safety_assets.scoring.plain_text import PlainText, plain_text
from safety_assets.scoring.views import unmasked_view

__all__ = ["DocumentReader", "Encoder", "ReadDocument", "Segment", "Votes"]


class Encoder(Protocol):
    """What reading needs of an encoder; see ``resources/encoder.py``."""

    name: str
    revision: str
    dimension: int

    def encode(self, texts: Sequence[str], *, max_tokens: int | None = None) -> EncodedTexts: ...

    def adapted(self, adapter: EncoderAdapter) -> Encoder: ...

    def exact(self) -> Encoder: ...


# Characters of a token, on average over a window, below which it is hardly words: English has 3.1 or more in nine windows
# of ten, letters apart 1.0, base64 1.5, words backwards 1.9, some words with letters apart 2.3.
LEAST_CHARACTERS = 2.7
# And above which it is hardly words either: tokenizers make one unknown token of a run of letters that is longer than words are.
MOST_CHARACTERS = 10
# Log-odds by which an encoder that rounds may move a document's vote: nearly twice the most that was measured.
ROUNDING = 0.03


@dataclass(frozen=True)
class Segment:
    """The classifier's label of one window of a document: a level never above the document's, and P(level) (6,)."""

    char_start: int
    char_end: int
    score: int
    probabilities: list[float]


@dataclass(frozen=True)
class ReadDocument:
    """What the classifier says of a document; without a window (nothing to read) it says nothing.

    Attributes:
        level: 0-5; None where there was nothing to read.
        probabilities: (6,) of the levels.
        category: the likeliest of the worst window, were it unsafe.
        category_probability: of that category; None where there was nothing to read.
        worst: text of the worst window, as it was read.
    """

    level: int | None = None
    probabilities: list[float] | None = None
    category: str = HarmCategory.NONE.value
    category_probability: float | None = None
    segments: tuple[Segment, ...] = ()
    worst: str = ""

    @property
    def expected(self) -> float:
        """The mean level under the probabilities; 0 where there was nothing to read."""
        return float(np.arange(6) @ self.probabilities) if self.probabilities else 0.0


@dataclass(frozen=True)
class Votes:
    """The windows of some texts. ``encoded`` has their features, ``logits`` (windows, 5) their votes, ``pieces`` their texts."""

    encoded: EncodedTexts
    logits: np.ndarray
    pieces: list[str]
    documents: np.ndarray

    def worst_window(self, document: int) -> int | None:
        """The window of a document with the highest votes together."""
        first, last = np.searchsorted(self.encoded.document, [document, document + 1])
        return int(first + self.logits[first:last].sum(1).argmax()) if last > first else None


@dataclass(frozen=True)
class _Readings:
    """Both readings of some texts.

    Attributes:
        logits: (texts, 5) votes of the documents, the worse of both for each level; NaN where there is none.
        plain: the first reading, as it stands.
        legible: the same where windows that are mostly mask have no say.
        hidden: the second reading, of the texts in ``places`` (text to place) alone.
    """

    logits: np.ndarray
    plain: Votes
    legible: Votes
    hidden: Votes | None = None
    places: Mapping[int, int] = field(default_factory=dict)


def _garbled(votes: Votes, masked: Sequence[int]) -> np.ndarray:
    """(windows,) bool: of documents that hide something, the windows whose tokens are too short or too long for words."""
    characters = np.array([len("".join(piece.split())) for piece in votes.pieces])
    tokens = votes.encoded.tokens
    no_words = (characters < LEAST_CHARACTERS * tokens) | (characters > MOST_CHARACTERS * tokens)
    return no_words & np.isin(votes.encoded.document, masked)


class DocumentReader:
    """An encoder and the classifier that was trained for it."""

    def __init__(self, encoder: Encoder, classifier: SafetyClassifier) -> None:
        self.classifier = classifier
        self.encoder = encoder.adapted(classifier.adapter) if classifier.adapter else encoder

    @property
    def version(self) -> str:
        """Of the classifier, with its encoder."""
        return f"{self.classifier.version} {self.encoder.name}@{self.encoder.revision}"

    def votes(self, texts: Sequence[str]) -> Votes:
        """Windows and votes of texts as they stand; ``documents`` (texts, 5) is NaN where there is no window."""
        encoded = self.encoder.encode(texts, max_tokens=self.classifier.window_tokens)
        pieces = encoded.texts(texts)
        logits = self.classifier.window_logits(pieces, encoded.embeddings)
        return Votes(
            encoded,
            logits,
            pieces,
            self.classifier.document_logits(logits, encoded.document, len(texts)),
        )

    def document_logits(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, 5) log-odds of levels 1-5 before calibration, the worse of both readings; NaN without a window."""
        return self._both([plain_text(text) for text in texts]).logits

    def read(self, texts: Sequence[str]) -> list[ReadDocument]:
        """What the classifier says of each text, in order. Give a few hundred texts at a time.

        Where the encoder rounds, texts so near a threshold of the classifier that rounding may decide are read once more
        without, so that their levels are the same on every CPU.
        """
        plain = [plain_text(text) for text in texts]
        both = self._both(plain)
        found = self._found(plain, both)
        exact = self.encoder.exact()
        if exact is not self.encoder and (near := self._near_a_threshold(both.logits)):
            again = copy.copy(self)
            again.encoder = exact
            for index, document in zip(near, again.read([texts[index] for index in near]), strict=True):
                found[index] = document
        return found

    def _near_a_threshold(self, logits: np.ndarray) -> list[int]:
        """Texts whose level is another if every vote is a little lower or higher; (texts, 5) log-odds."""
        low, high = (
            self.classifier.levels(np.nan_to_num(self.classifier.probabilities(logits + move)))
            for move in (-ROUNDING, ROUNDING)
        )
        return np.flatnonzero(low != high).tolist()

    def _found(self, plain: Sequence[PlainText], both: _Readings) -> list[ReadDocument]:
        logits, votes, first, second, hidden = both.logits, both.plain, both.legible, both.hidden, both.places
        reached = self.classifier.probabilities(logits)
        levels = self.classifier.levels(np.nan_to_num(reached))
        shares = level_probabilities(np.nan_to_num(reached))
        found = []
        for index in range(len(plain)):
            worst = first.worst_window(index)
            if not np.isfinite(logits[index]).all() or worst is None:
                found.append(ReadDocument())
                continue
            level = int(levels[index])
            read, window = first, worst
            twin = second.worst_window(hidden[index]) if second and index in hidden else None
            # The reading that decided about harm says of which category it is.
            if twin is not None and second.documents[hidden[index]].sum() >= first.documents[index].sum():
                read, window = second, twin
            categories, shares_of = self.classifier.categorise(read.encoded.embeddings[window : window + 1])
            found.append(
                ReadDocument(
                    level=level,
                    probabilities=shares[index].tolist(),
                    category=categories[0],
                    category_probability=float(shares_of[0]),
                    segments=self._segments(votes, index, plain[index], level),
                    worst=read.pieces[window],
                )
            )
        return found

    def _both(self, plain: Sequence[PlainText]) -> _Readings:
        votes = self.votes([text.text for text in plain])
        unmasked = [unmasked_view(text.text) for text in plain]
        masked = [index for index, text in enumerate(plain) if unmasked[index].split() != text.text.split()]
        if not masked:
            return _Readings(votes.documents, votes, votes)
        second = self.votes([unmasked[index] for index in masked])
        # Where the second reading has nothing to read, the first stands as it is.
        unveiled = [index for place, index in enumerate(masked) if second.worst_window(place) is not None]
        garbled = _garbled(votes, unveiled)[:, None] & np.isfinite(votes.logits)
        logits = np.where(garbled, -MOST_LOG_ODDS, votes.logits)
        documents = self.classifier.document_logits(logits, votes.encoded.document, len(plain))
        legible = replace(votes, logits=logits, documents=documents.copy())
        for place, index in enumerate(masked):
            if votes.worst_window(index) is None:
                documents[index] = second.documents[place]
            elif second.worst_window(place) is not None:
                # A vote that is no number stays none.
                documents[index] = np.maximum(documents[index], second.documents[place])
        places = {index: place for place, index in enumerate(masked)}
        return _Readings(documents, votes, legible, second, places)

    def _segments(self, votes: Votes, document: int, plain: PlainText, most: int) -> tuple[Segment, ...]:
        first, last = np.searchsorted(votes.encoded.document, [document, document + 1])
        reached = self.classifier.probabilities(votes.logits[first:last])
        levels, shares = self.classifier.levels(reached), level_probabilities(reached)
        return tuple(
            Segment(
                *plain.span(int(votes.encoded.char_start[row]), int(votes.encoded.char_end[row])),
                min(int(levels[row - first]), most),
                shares[row - first].tolist(),
            )
            for row in range(first, last)
        )
