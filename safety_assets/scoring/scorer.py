"""One scorer for sources and synthetic text alike: encoder, classifier, language model, and both together.

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
from safety_assets.scoring.calibration import levels_of, reached_probabilities
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.confirmation import Confirmation, harm_log_odds
from safety_assets.scoring.ensemble import Combination
from safety_assets.scoring.llm_scorer import LlmCalibration, ask_reasons, digit_log_probabilities
from safety_assets.scoring.reading import DocumentReader, ReadDocument, Segment

__all__ = ["DocumentScore", "DocumentScorer", "PassageLabel", "open_scorer"]

# Documents that the second judgement looks at together.
CONFIRM_TOGETHER = 16


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
    segments: tuple[Segment, ...]
    llm_score: int | None
    llm_state: str
    llm_log_probabilities: list[float] | None
    reason: str | None
    tokens: int


class DocumentScorer:
    """Scores documents and sentences, and gives the second judgement."""

    def __init__(
        self,
        reader: DocumentReader,
        confirmation: Confirmation,
        calibration: LlmCalibration,
        combination: Combination,
        model: LanguageModel,
        store: AnswerStore,
        settings: ScoringProfile,
        usage: Usage,
        progress: Callable[[Usage], None] | None = None,
    ) -> None:
        self._reader, self._confirmation = reader, confirmation
        self._calibration, self._combination = calibration, combination
        self._model, self._store = model, store
        self._settings, self._usage, self._progress = settings, usage, progress

    @property
    def embedding_version(self) -> str:
        """Of the classifier, with its encoder."""
        return self._reader.version

    @property
    def ensemble(self) -> str:
        """How both scorers' levels become one: maximum or calibrated."""
        return self._settings.ensemble

    @property
    def llm_version(self) -> str:
        """Model, revision and prompt version, separated by spaces."""
        return f"{self._model.name} {self._model.revision} {RUBRIC.version}"

    def score(self, documents: Sequence[tuple[str, str]]) -> list[DocumentScore]:
        """Score (id, text) pairs, in order."""
        texts = [text for _, text in documents]
        read = self._reader.read(texts)
        answers = self._llm_scores(documents)
        tokens = self._model.count_tokens(texts)
        levels = self._together(read, answers)
        scores = [_scored(*parts) for parts in zip(levels, read, answers, tokens, strict=True)]
        return self._explained(documents, scores)

    def sentences(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each sentence read alone, by the classifier; None where it has no window."""
        return [read.level for read in self._reader.read(texts)]

    def passages(self, texts: Sequence[str]) -> list[PassageLabel | None]:
        """Level and category of each passage read alone, by the classifier; None where it has no window."""
        return [
            None
            if read.level is None
            else PassageLabel(
                read.level, read.category if read.level else HarmCategory.NONE.value, read.expected
            )
            for read in self._reader.read(texts)
        ]

    def documents(self, texts: Sequence[str]) -> list[int | None]:
        """Level of each whole text, by both scorers; None unless both scored."""
        answers = self._llm_scores([("synthetic", text) for text in texts])
        return self._together(self._reader.read(texts), answers)

    def confirm(self, documents: Iterable) -> Iterator[tuple]:
        """(document, probability, confirmed) for documents of level 4-5; what could not be judged is not confirmed.

        The judgement looks at the window that the classifier found worst.
        """
        for group in groups(documents, CONFIRM_TOGETHER):
            worst = [read.worst for read in self._reader.read([document.text for document in group])]
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

    def _together(self, read: Sequence[ReadDocument], answers: Sequence[LlmScore]) -> list[int | None]:
        """Each document's score; None unless both scored: a missing score could hide an unsafe text."""
        both = [
            found.level is not None and answer.score is not None
            for found, answer in zip(read, answers, strict=True)
        ]
        if self._settings.ensemble == "maximum" or not self._combination.informative:
            heard = self._settings.ensemble == "maximum"
            return [
                max(found.level, answer.score if heard else 0) if scored else None
                for found, answer, scored in zip(read, answers, both, strict=True)
            ]
        first = _reached([found.probabilities for found in read])
        second = _reached(
            [
                np.exp(answer.log_probabilities).tolist() if answer.log_probabilities else None
                for answer in answers
            ]
        )
        together = self._combination.probabilities(first, second)
        levels = levels_of(np.nan_to_num(together), self._combination.thresholds)
        return [
            int(level) if scored and known else None
            for level, scored, known in zip(levels, both, np.isfinite(together).all(1), strict=True)
        ]

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
    row = found[0]
    encoder = models.encoder(row["encoder"])
    if (row["encoder"], row["encoder_revision"]) != (encoder.name, encoder.revision):
        raise LakeError(
            f"The safety classifier was trained for the encoder {row['encoder']}, not {encoder.name} as it is now: "
            "materialise safety_classifier again."
        )
    return DocumentScorer(
        reader=DocumentReader(encoder, SafetyClassifier.from_bytes(row["head"])),
        confirmation=Confirmation.from_bytes(row["confirmation"]),
        calibration=LlmCalibration(
            {int(level): value for level, value in json.loads(row["llm_thresholds"]).items()}
        ),
        combination=Combination.from_header(json.loads(row["combination"])),
        model=models.language_model(),
        store=store,
        settings=models.profile().scoring,
        usage=usage,
        progress=progress,
    )


def _reached(rows: Sequence[list[float] | None]) -> np.ndarray:
    """(n, 5) P(level >= 1..5) from P(level) (6,) of each document, in any unit; NaN where there is none."""
    shares = np.array([row or [np.nan] * 6 for row in rows], np.float64).reshape(-1, 6)
    return reached_probabilities(shares / shares.sum(1, keepdims=True))


def _scored(score: int | None, read: ReadDocument, llm: LlmScore, tokens: int) -> DocumentScore:
    state = ScoreState.MISSING if read.level is None else ScoreState.SCORED
    missing = state if read.level is None else llm.state
    return DocumentScore(
        score=score,
        state=(missing if score is None else ScoreState.SCORED).value,
        category=read.category if score else HarmCategory.NONE.value,
        category_probability=read.category_probability if score else None,
        embedding_score=read.level,
        embedding_state=state.value,
        probabilities=read.probabilities,
        segments=read.segments,
        llm_score=llm.score,
        llm_state=llm.state.value,
        llm_log_probabilities=llm.log_probabilities,
        reason=llm.reason,
        tokens=tokens,
    )
