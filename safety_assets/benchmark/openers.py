"""From a scorer's name to the scorer. An opener holds settings only, so that it can be sent to another process.

Scorers are imported where they are opened: the process of a word list shall not hold what others need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safety_assets.benchmark.errors import ScorerError
from safety_assets.benchmark.scored import Scorer

if TYPE_CHECKING:
    from resources.language_model import LanguageModel
    from resources.profile import LanguageModelProfile, Profile
    from safety_assets.benchmark.guards import ClassifierScorer, GuardScorer
    from safety_assets.benchmark.scorers import EmbeddingScorer, LanguageModelScorer
    from safety_assets.benchmark.words import ProfanityScorer, WordListScorer
    from safety_assets.scoring.llm_scorer import LlmCalibration

__all__ = ["DEFAULT_SCORERS", "SCORERS", "Opener"]

DEFAULT_SCORERS = ("embedding", "language-model", "ensemble", "profanity", "word-list")
# These need a model of others, by folder or Hub id.
MODEL_SCORERS = ("llama-guard", "qwen3guard", "detoxify")
SCORERS = (*DEFAULT_SCORERS, "combination", *MODEL_SCORERS)


@dataclass(frozen=True)
class Opener:
    """Opens one scorer.

    Attributes:
        scorer: one of :data:`SCORERS`.
        profile: whose encoder, language model and scoring settings are used; None is the one that is set.
        head: the bytes of a trained classifier; None takes the packaged one.
        encoder: name and revision that the head was trained for; None is not looked at.
        llm_thresholds: of the calibrated language model; None calibrates it on the packaged seeds.
        combination: of both, as the lake keeps it.
        words: a word list of one's own.
        models: folder, or Hub id and revision as ``id@revision``, of the scorers that need one.
        device: where those run.
    """

    scorer: str
    profile: str | None = None
    head: bytes | None = field(default=None, repr=False)
    encoder: tuple[str, str] | None = None
    llm_thresholds: Mapping[int, float] | None = None
    combination: Mapping[str, Any] | None = None
    words: Path | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.scorer not in SCORERS:
            raise ScorerError(f"There is no scorer {self.scorer!r}: choose among {', '.join(SCORERS)}.")
        if self.scorer in MODEL_SCORERS and self.scorer not in self.models:
            raise ScorerError(f"The scorer {self.scorer} needs its model: give {self.scorer}=FOLDER.")
        if self.scorer == "combination" and self.combination is None:
            raise ScorerError(
                "The combination is fitted with safety_classifier: materialise that, and then classifier_benchmark."
            )

    def __str__(self) -> str:
        return f"scorer {self.scorer}"

    def __call__(self) -> Scorer:
        """The scorer; takes seconds where models are loaded.

        Raises:
            ResourceError: something it needs is missing.
        """
        made: dict[str, Callable[[], Scorer]] = {
            "embedding": self._embedding,
            "language-model": self._language_model,
            "ensemble": self._ensemble,
            "combination": self._combination,
            "profanity": _profanity,
            "word-list": self._word_list,
            "detoxify": self._detoxify,
        }
        return made.get(self.scorer, self._guard)()

    def _embedding(self) -> EmbeddingScorer:
        from resources.encoders import encoders_home, named_encoder, open_profile_encoder
        from safety_assets.benchmark.scorers import EmbeddingScorer
        from safety_assets.scoring.classifier import SafetyClassifier
        from safety_assets.scoring.packaged import PACKAGED_ENCODER, packaged_classifier
        from safety_assets.scoring.reading import DocumentReader

        profile = self._profile().encoder
        if self.encoder:
            profile = named_encoder(profile, self.encoder[0], encoders_home())
        encoder = open_profile_encoder(profile, _cache())
        classifier = SafetyClassifier.from_bytes(self.head) if self.head else packaged_classifier()
        fits = (encoder.name, encoder.revision) == self.encoder if self.encoder else True
        if not fits or (self.head is None and encoder.name != PACKAGED_ENCODER):
            raise ScorerError(
                f"The classifier was not trained for the encoder {encoder.name} as it is now: materialise "
                "safety_classifier again, or choose another profile."
            )
        return EmbeddingScorer(DocumentReader(encoder, classifier))

    def _language_model(self) -> LanguageModelScorer:
        from safety_assets.benchmark.scorers import LanguageModelScorer

        settings = self._profile().scoring
        model = _open_model(self._profile().language_model)
        return LanguageModelScorer(model, self._llm_calibration(model), settings)

    def _ensemble(self) -> Scorer:
        from safety_assets.benchmark.scorers import EnsembleScorer

        return EnsembleScorer(self._embedding(), self._language_model())

    def _combination(self) -> Scorer:
        from safety_assets.benchmark.scorers import CombinationScorer
        from safety_assets.scoring.ensemble import Combination

        combination = Combination.from_header(self.combination or {})
        return CombinationScorer(self._embedding(), self._language_model(), combination)

    def _llm_calibration(self, model: LanguageModel) -> LlmCalibration:
        """Of the lake's classifier; without one, fitted as that is, on the calibration split of the seeds."""
        import numpy as np

        from safety_assets.benchmark.scorers import NoAnswers
        from safety_assets.generation import Usage
        from safety_assets.sample_data.sample import Split, load_seeds
        from safety_assets.scoring.llm_scorer import (
            LlmCalibration,
            digit_log_probabilities,
            fit_llm_calibration,
        )

        settings = self._profile().scoring
        if self.llm_thresholds is not None or settings.llm_mode == "json":
            return LlmCalibration(dict(self.llm_thresholds or {}))
        seeds = [seed for seed in load_seeds() if seed.split is Split.CALIBRATION]
        documents = [(seed.id, seed.text) for seed in seeds]
        rows = digit_log_probabilities(
            documents, model, NoAnswers(), Usage(), max_chars=settings.llm_max_chars
        )
        return fit_llm_calibration(rows, np.array([seed.score for seed in seeds]))

    def _word_list(self) -> WordListScorer:
        from safety_assets.benchmark.words import WordListScorer

        return WordListScorer(self.words)

    def _guard(self) -> GuardScorer:
        from resources.profile import LanguageModelProfile
        from safety_assets.benchmark.guards import GUARDS, GuardScorer

        name, revision = self._model_name()
        dtype = "float32" if self.device == "cpu" else "auto"
        profile = LanguageModelProfile(
            backend="transformers", model=name, revision=revision, device=self.device, dtype=dtype
        )
        return GuardScorer(GUARDS[self.scorer], _open_model(profile))

    def _detoxify(self) -> ClassifierScorer:
        from resources.model_store import resolve_model
        from safety_assets.benchmark.guards import ClassifierScorer

        name, revision = self._model_name()
        local = resolve_model(name, cache=_cache(), revision=revision)
        return ClassifierScorer(self.scorer, local, device=self.device)

    def _model_name(self) -> tuple[str, str | None]:
        name, _, revision = self.models[self.scorer].partition("@")
        return name, revision or None

    def _profile(self) -> Profile:
        from resources.profile import load_profile

        return load_profile(self.profile)


def _profanity() -> ProfanityScorer:
    from safety_assets.benchmark.words import ProfanityScorer

    return ProfanityScorer()


def _open_model(profile: LanguageModelProfile) -> LanguageModel:
    from resources.language_models import open_language_model

    return open_language_model(profile, models_cache=_cache())


def _cache() -> Path:
    from resources.profile import safety_home

    return safety_home() / "models"
