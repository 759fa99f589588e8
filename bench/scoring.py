"""Scoring: the asset's path against the bare encoder, and log-probabilities against the paper's JSON mode."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from resources.lake import Lake, LakeSettings, Provenance
from resources.language_model import LanguageModel
from resources.model_resources import ModelsResource, models_cache
from resources.model_store import resolve_model
from resources.profile import DEFAULT_PROFILE, ScoringProfile
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.seeds import seed_rows
from safety_assets.corpus.ingest import ingest_shard
from safety_assets.generation import Usage
from safety_assets.sample_data.sample import build_sample
from safety_assets.scoring.classifier import train_classifier
from safety_assets.scoring.confirmation import train_confirmation
from safety_assets.scoring.fit import examples_of
from safety_assets.scoring.llm_scorer import LlmCalibration, digit_log_probabilities
from safety_assets.scoring.score_shard import score_shard
from safety_assets.scoring.scorer import DocumentScorer
from tests.support.scripted_model import MemoryAnswers, ScriptedModel

__all__ = ["choices_against_json", "embedding_through_the_asset"]

SHARD = "bench"
DOCUMENTS_BY_MODEL = 24
MAX_CHARS = 800


def embedding_through_the_asset() -> dict[str, float]:
    """Windows per second of :func:`score_shard`, lake included, and of SentenceTransformer.encode on the same texts.

    The language model is a stand-in that answers at once, so that only the embedding side counts.
    """
    from sentence_transformers import SentenceTransformer

    encoder = ModelsResource(profile_name=DEFAULT_PROFILE).encoder()
    bare = SentenceTransformer(
        str(resolve_model("package:all-MiniLM-L6-v2", cache=models_cache()).folder), device="cpu"
    )
    examples = examples_of(list(seed_rows()), encoder)
    confirmation = train_confirmation(
        examples, np.zeros((examples.splits == "calibration").sum(), np.float32)
    )
    scorer = DocumentScorer(
        encoder,
        train_classifier(examples, positive_weight=1.5),
        confirmation,
        LlmCalibration({}),
        ScriptedModel(lambda _: ""),
        MemoryAnswers(),
        ScoringProfile(explain=False),
        Usage(),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lake = Lake(LakeSettings(f"sqlite:{folder}/catalog.sqlite", f"{folder}/data"))
        files = sorted(build_sample(Path(folder) / "sample").rglob("*.parquet"))
        by = Provenance("bench", SHARD, "bench")
        version = ingest_shard(files[0], lake, by).version
        with lake.read("fineweb", partition=SHARD, columns=["text"]) as reader:
            texts = reader.read_all().column("text").to_pylist()
        windows = encoder.encode(texts).texts(texts)
        times: dict[str, list[float]] = {"asset": [], "bare": []}
        for _ in range(3):
            times["bare"].append(_seconds(lambda: bare.encode(windows, batch_size=32)))
            times["asset"].append(_seconds(lambda: score_shard(lake, {"fineweb": version}, scorer, by)))
        lake.close()
    best = {name: min(tries) for name, tries in times.items()}
    return {
        "windows": len(windows),
        "asset_windows_per_s": len(windows) / best["asset"],
        "bare_windows_per_s": len(windows) / best["bare"],
        "ratio": best["bare"] / best["asset"],
    }


def choices_against_json() -> dict[str, float]:
    """Seconds per document of both modes of the language-model scorer, on the same pages."""
    model: LanguageModel = ModelsResource(profile_name=DEFAULT_PROFILE).language_model()
    documents = [(row["annotation_id"], row["text"]) for row in seed_rows()][:DOCUMENTS_BY_MODEL]
    digit_log_probabilities(
        documents[:2], model, MemoryAnswers(), Usage(), max_chars=MAX_CHARS
    )  # loads the weights
    choices = _seconds(
        lambda: digit_log_probabilities(documents, model, MemoryAnswers(), Usage(), max_chars=MAX_CHARS)
    )
    verdicts = _seconds(lambda: ask_verdicts(documents, model, MemoryAnswers(), Usage(), MAX_CHARS))
    return {
        "choices_s_per_document": choices / len(documents),
        "json_s_per_document": verdicts / len(documents),
        "ratio": verdicts / choices,
    }


def _seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
