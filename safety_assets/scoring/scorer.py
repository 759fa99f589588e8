"""One scorer for sources and synthetic text alike: encoder, classifier, language model, and their maximum.

Opened from the lake with the newest classifier; :class:`DocumentScorer` is also the re-scorer of synthesis.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from resources.errors import LakeError
from resources.lake import Lake
from resources.language_model import LanguageModel
from resources.model_resources import ModelsResource
from resources.profile import ScoringProfile
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.rubric import RUBRIC
from safety_assets.batches import groups
from safety_assets.generation import AnswerStore, Usage
from safety_assets.harms import HarmCategory, ScoreState
from safety_assets.scoring.classifier import SafetyClassifier, WindowScores
from safety_assets.scoring.confirmation import Confirmation, harm_log_odds
from safety_assets.scoring.llm_scorer import LlmCalibration, ask_reasons, digit_log_probabilities

__all__ = ["DocumentScore", "DocumentScorer", "PassageLabel", "Segment", "open_scorer"]

# Documents that the second judgement looks at together.
CONFIRM_TOGETHER = 16


@dataclass(frozen=True)
class Segment:
    """The classifier's label of one window of a document."""

    char_start: int
    char_end: int
    score: int
    probabilities: list[float]


@dataclass(frozen=True)
class PassageLabel:
    """The classifier's label of a passage; ``expected`` is the mean level under its probabilities."""

    level: int
    category: str
    expected: float


@dataclass(frozen=True)
class LlmScore:
    """What the language model said: ``score`` only where ``state`` is scored."""

    state: ScoreState
    score: int | None = None
    log_probabilities: list[float] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class DocumentScore:
    """Everything a row of ``scored_fineweb`` says. ``score`` is None unless both scorers scored (fail closed)."""

    score: int | None
    state: str
    category: str
    category_probability: float | None
    embedding_score: int | None
    embedding_state: str
    probabilities: list[float] | None
    segments: list[Segment]
    llm_score: int | None
    llm_state: str
    llm_log_probabilities: list[float] | None
    reason: str | None
    tokens: int


class DocumentScorer:
    """Scores documents and sentences, and gives the second judgement."""

    def __init__(
        self,
        encoder,
        classifier: SafetyClassifier,
        confirmation: Confirmation,
        calibration: LlmCalibration,
        model: LanguageModel,
        store: AnswerStore,
        settings: ScoringProfile,
        usage: Usage,
        progress: Callable[[Usage], None] | None = None,
    ) -> None:
        self._encoder, self._classifier, self._confirmation = encoder, classifier, confirmation
        self._calibration, self._model, self._store = calibration, model, store
        self._settings, self._usage, self._progress = settings, usage, progress

    @property
    def embedding_version(self) -> str:
        """Of the classifier, with its encoder."""
        return f"{self._classifier.version} {self._encoder.name}@{self._encoder.revision}"

    @property
    def llm_version(self) -> str:
        """Model, revision and prompt version, separated by spaces."""
        return f"{self._model.name} {self._model.revision} {RUBRIC.version}"

    def score(self, documents: Sequence[tuple[str, str]]) -> list[DocumentScore]:
        """Score (id, text) pairs, in order."""
        texts = [text for _, text in documents]
        encoded = self._encoder.encode(texts)
        windows = self._classifier.score_windows(encoded.texts(texts), encoded.embeddings)
        answers = self._llm_scores(documents)
        tokens = self._model.count_tokens(texts)
        first = np.searchsorted(encoded.document, np.arange(len(texts) + 1))
        spans = list(zip(encoded.char_start.tolist(), encoded.char_end.tolist(), strict=True))
        scores = [
            _combined(windows, spans, range(first[index], first[index + 1]), answers[index], tokens[index])
            for index in range(len(texts))
        ]
        return self._explained(documents, scores)

    def sentences(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each sentence read alone, by the classifier; None where it has no window."""
        return self._embedding_levels(texts)

    def passages(self, texts: Sequence[str]) -> list[PassageLabel | None]:
        """Level and category of each passage read alone, by the classifier; None where it has no window."""
        encoded = self._encoder.encode(texts)
        windows = self._classifier.score_windows(encoded.texts(texts), encoded.embeddings)
        labels: list[PassageLabel | None] = [None] * len(texts)
        for row, document in enumerate(encoded.document.tolist()):
            level, worst = int(windows.levels[row]), labels[document]
            if worst is None or level > worst.level:
                category = windows.categories[row] if level else HarmCategory.NONE.value
                expected = float(windows.probabilities[row] @ np.arange(6))
                labels[document] = PassageLabel(level, category, expected)
        return labels

    def documents(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each whole text, by both scorers; None unless both scored."""
        answers = self._llm_scores([("synthetic", text) for text in texts])
        return [
            None if level is None or answer.score is None else max(level, answer.score)
            for level, answer in zip(self._embedding_levels(texts), answers, strict=True)
        ]

    def confirm(self, documents: Iterable) -> Iterator[tuple]:
        """(document, probability, confirmed) for documents of level 4-5; what could not be judged is not confirmed.

        The judgement looks at the window that the classifier found worst.
        """
        for group in groups(documents, CONFIRM_TOGETHER):
            texts = [document.text for document in group]
            worst = self._worst_windows(texts)
            odds = harm_log_odds(
                [(document.document_id, text) for document, text in zip(group, worst, strict=True)],
                self._model,
                self._store,
                self._usage,
                max_chars=self._settings.llm_max_chars,
            )
            judged = self._confirmation.probabilities(worst, odds)
            for document, probability in zip(group, judged.tolist(), strict=True):
                known = np.isfinite(probability)
                yield (
                    document,
                    probability if known else None,
                    known and probability >= self._confirmation.threshold,
                )

    def _embedding_levels(self, texts: Sequence[str]) -> list[int | None]:
        encoded = self._encoder.encode(texts)
        levels: list[int | None] = [None] * len(texts)
        windows = self._classifier.score_windows(encoded.texts(texts), encoded.embeddings)
        for document, level in zip(encoded.document.tolist(), windows.levels.tolist(), strict=True):
            levels[document] = max(levels[document] or 0, level)
        return levels

    def _worst_windows(self, texts: Sequence[str]) -> list[str]:
        encoded = self._encoder.encode(texts)
        pieces = encoded.texts(texts)
        expected = self._classifier.score_windows(pieces, encoded.embeddings).probabilities @ np.arange(6)
        worst = {document: -1.0 for document in range(len(texts))}
        chosen = list(texts)
        for piece, document, value in zip(pieces, encoded.document.tolist(), expected.tolist(), strict=True):
            if value > worst[document]:
                worst[document], chosen[document] = value, piece
        return chosen

    def _llm_scores(self, documents: Sequence[tuple[str, str]]) -> list[LlmScore]:
        common = (self._model, self._store, self._usage)
        if self._settings.llm_mode == "json":
            verdicts = ask_verdicts(documents, *common, self._settings.llm_max_chars)
            return [LlmScore(verdict.state, verdict.score, None, verdict.reason) for verdict in verdicts]
        rows = digit_log_probabilities(
            documents, *common, max_chars=self._settings.llm_max_chars, progress=self._progress
        )
        return [
            LlmScore(ScoreState.SCORED, self._calibration.level(row), row.tolist())
            if np.isfinite(row).all()
            else LlmScore(ScoreState.TOO_LONG)
            for row in rows
        ]

    def _explained(
        self, documents: Sequence[tuple[str, str]], scores: list[DocumentScore]
    ) -> list[DocumentScore]:
        """Reasons for what scored 1 or more and has none yet."""
        from dataclasses import replace

        wanted = [index for index, score in enumerate(scores) if score.score and score.reason is None]
        if not self._settings.explain or not wanted:
            return scores
        reasons = ask_reasons(
            [(*documents[index], scores[index].category) for index in wanted],
            self._model,
            self._store,
            self._usage,
            max_chars=self._settings.llm_max_chars,
            progress=self._progress,
        )
        explained = list(scores)
        for index, reason in zip(wanted, reasons, strict=True):
            explained[index] = replace(scores[index], reason=reason)
        return explained


def open_scorer(
    lake: Lake,
    models: ModelsResource,
    store: AnswerStore,
    usage: Usage,
    progress: Callable[[Usage], None] | None = None,
) -> DocumentScorer:
    """The scorer with the newest classifier of the lake.

    Raises:
        LakeError: there is no classifier yet, or it was trained for another encoder.
    """
    found = lake.rows("newest_classifier")
    if not found:
        raise LakeError("There is no safety classifier in the lake yet: materialise safety_classifier first.")
    encoder, row = models.encoder(), found[0]
    if (row["encoder"], row["encoder_revision"]) != (encoder.name, encoder.revision):
        raise LakeError(
            f"The safety classifier was trained for the encoder {row['encoder']}, not {encoder.name} as it is now: "
            "materialise safety_classifier again."
        )
    return DocumentScorer(
        encoder=encoder,
        classifier=SafetyClassifier.from_bytes(row["head"]),
        confirmation=Confirmation.from_bytes(row["confirmation"]),
        calibration=LlmCalibration(
            {int(level): value for level, value in json.loads(row["llm_thresholds"]).items()}
        ),
        model=models.language_model(),
        store=store,
        settings=models.profile().scoring,
        usage=usage,
        progress=progress,
    )


def _combined(
    windows: WindowScores, spans: Sequence[tuple[int, int]], own: range, llm: LlmScore, tokens: int
) -> DocumentScore:
    """The maximum of both, where both scored: a missing score could hide an unsafe text."""
    rows = list(own)
    state = ScoreState.SCORED if rows else ScoreState.MISSING
    worst = max(
        rows, key=lambda row: (windows.levels[row], windows.probabilities[row] @ np.arange(6)), default=None
    )
    level = int(windows.levels[worst]) if worst is not None else None
    both = level is not None and llm.score is not None
    score = max(level, llm.score) if both else None
    return DocumentScore(
        score=score,
        state=(ScoreState.SCORED if both else state if level is None else llm.state).value,
        category=windows.categories[worst] if score else HarmCategory.NONE.value,
        category_probability=float(windows.category_probabilities[worst]) if score else None,
        embedding_score=level,
        embedding_state=state.value,
        probabilities=windows.probabilities[worst].tolist() if worst is not None else None,
        segments=[
            Segment(*spans[row], int(windows.levels[row]), windows.probabilities[row].tolist())
            for row in rows
        ],
        llm_score=llm.score,
        llm_state=llm.state.value,
        llm_log_probabilities=llm.log_probabilities,
        reason=llm.reason,
        tokens=tokens,
    )
