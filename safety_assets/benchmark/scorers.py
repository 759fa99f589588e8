"""This project's own scorers: the embedding classifier, the language model, their maximum and their combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from resources.language_model import Completion, LanguageModel
from resources.profile import ScoringProfile
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.rubric import RUBRIC
from safety_assets.batches import groups
from safety_assets.benchmark.scored import Scored, log_odds_of
from safety_assets.generation import Usage
from safety_assets.scoring.calibration import levels_of, reached_probabilities
from safety_assets.scoring.ensemble import Combination
from safety_assets.scoring.llm_scorer import LEAST_PRECISION, LlmCalibration, digit_log_probabilities
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.weights import sigmoid, softmax

__all__ = ["CombinationScorer", "EmbeddingScorer", "EnsembleScorer", "LanguageModelScorer", "NoAnswers"]

# Texts that are scored together: enough for batches of like length, few enough for flat memory.
TOGETHER = 256


class NoAnswers:
    """Keeps no answer of a language model: what is timed must be asked."""

    def completions(self, keys: Sequence[str]) -> Mapping[str, Completion]:
        return {}

    def commit_completions(self, answered, model: str, revision: str) -> None:
        return

    def choice_scores(self, keys: Sequence[str]) -> Mapping[str, Sequence[float]]:
        return {}

    def commit_choice_scores(self, answered, model: str, revision: str) -> None:
        return


class EmbeddingScorer:
    """The embedding classifier as ``scored_fineweb`` uses it."""

    name = "embedding"

    def __init__(self, reader: DocumentReader) -> None:
        self._reader = reader

    @property
    def version(self) -> str:
        return self._reader.version

    def score(self, texts: Sequence[str]) -> Scored:
        read = [found for group in groups(texts, TOGETHER) for found in self._reader.read(group)]
        shares = np.array([found.probabilities or [np.nan] * 6 for found in read], np.float64).reshape(-1, 6)
        reached = reached_probabilities(shares)
        return Scored(
            np.array([-1 if found.level is None else found.level for found in read], int),
            reached[:, 2],
            votes=log_odds_of(reached),
        )


class LanguageModelScorer:
    """The language model with the rubric, calibrated; without a calibrated level it says 0 and adds no false alarm."""

    name = "language-model"

    def __init__(self, model: LanguageModel, calibration: LlmCalibration, settings: ScoringProfile) -> None:
        self._model, self._calibration, self._settings = model, calibration, settings

    @property
    def version(self) -> str:
        return f"{self._model.name} {self._model.revision} {RUBRIC.version}"

    def score(self, texts: Sequence[str]) -> Scored:
        documents = [(str(place), text) for place, text in enumerate(texts)]
        asked = (documents, self._model, NoAnswers(), Usage())
        if self._settings.llm_mode == "json":
            verdicts = ask_verdicts(*asked, self._settings.llm_max_chars)
            levels = np.array([-1 if verdict.score is None else verdict.score for verdict in verdicts], int)
            return Scored(levels, np.where(levels < 0, np.nan, levels), probability=False)
        rows = digit_log_probabilities(*asked, max_chars=self._settings.llm_max_chars)
        usable = np.isfinite(rows).all(1)
        levels = [
            self._calibration.level(row) if made else -1 for row, made in zip(rows, usable, strict=True)
        ]
        reached = np.full((len(texts), 5), np.nan)
        reached[usable] = reached_probabilities(softmax(rows[usable].astype(np.float64)))
        return Scored(np.array(levels, int), reached[:, 2], votes=log_odds_of(reached))


class EnsembleScorer:
    """The maximum of both; no score unless both scored (fail closed).

    A level that the calibrated language model gives counts as at least as likely as its calibration asks for; where it
    gives none, the classifier's probabilities stand.
    """

    name = "ensemble"

    def __init__(self, embedding: EmbeddingScorer, language_model: LanguageModelScorer) -> None:
        self._embedding, self._language_model = embedding, language_model

    @property
    def version(self) -> str:
        return f"maximum of {self._embedding.version} and {self._language_model.version}"

    def score(self, texts: Sequence[str]) -> Scored:
        embedded, asked = self._embedding.score(texts), self._language_model.score(texts)
        both = embedded.made & asked.made
        said = asked.levels[:, None] >= np.arange(1, 6)
        votes = np.where(
            said, np.maximum(embedded.log_odds(), log_odds_of(LEAST_PRECISION)), embedded.log_odds()
        )
        votes[~both] = np.nan
        levels = np.where(both, np.maximum(embedded.levels, asked.levels), -1)
        return Scored(levels, sigmoid(votes[:, 2]), votes=votes)


class CombinationScorer:
    """Both as the calibrated combination that was fitted with the classifier; no score unless both scored.

    Where the language model was not shown to help, this is the classifier alone.
    """

    name = "combination"

    def __init__(
        self, embedding: EmbeddingScorer, language_model: LanguageModelScorer, combination: Combination
    ) -> None:
        self._embedding, self._language_model = embedding, language_model
        self._combination = combination

    @property
    def version(self) -> str:
        return f"combination of {self._embedding.version} and {self._language_model.version}"

    def score(self, texts: Sequence[str]) -> Scored:
        embedded, asked = self._embedding.score(texts), self._language_model.score(texts)
        together = self._combination.probabilities(sigmoid(embedded.log_odds()), sigmoid(asked.log_odds()))
        both = embedded.made & asked.made & np.isfinite(together).all(1)
        if self._combination.informative:
            levels = levels_of(np.nan_to_num(together), self._combination.thresholds)
        else:
            levels = embedded.levels
        return Scored(
            np.where(both, levels, -1), np.where(both, together[:, 2], np.nan), votes=log_odds_of(together)
        )
