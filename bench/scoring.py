"""Scoring: the asset's path against the bare encoder, and log-probabilities against the paper's JSON mode."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from resources.encoder import EncodedTexts, TextEncoder, open_encoder
from resources.lake import Lake, LakeSettings, Provenance
from resources.language_model import LanguageModel
from resources.model_resources import ModelsResource, models_cache
from resources.profile import DEFAULT_PROFILE, ScoringProfile, load_profile
from safety_assets.annotation.oracle import ask_verdicts
from safety_assets.annotation.seeds import seed_rows
from safety_assets.corpus.ingest import ingest_shard
from safety_assets.generation import Usage
from safety_assets.sample_data.sample import build_sample
from safety_assets.scoring.confirmation import train_confirmation
from safety_assets.scoring.examples import examples_of
from safety_assets.scoring.llm_scorer import LlmCalibration, digit_log_probabilities
from safety_assets.scoring.packaged import packaged_classifier
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.score_shard import score_shard
from safety_assets.scoring.scorer import DocumentScorer
from tests.support.scripted_model import MemoryAnswers, ScriptedModel

__all__ = [
    "choices_against_json",
    "embedding_through_the_asset",
    "encoding_against_plain",
    "encoding_on_gpu",
    "packaged_reader",
]

SHARD = "bench"
DOCUMENTS_BY_MODEL = 24
MAX_CHARS = 800
# Documents that encoding is measured on.
DOCUMENTS = 240
TRIES = 2
# Windows that the plain way embeds together, in the order in which they come.
PLAIN_BATCH = 32


def packaged_reader(**changes: str) -> DocumentReader:
    """The packaged classifier over its encoder, as the embedded profile has it but for changes of ``dtype`` or ``device``."""
    profile = load_profile(DEFAULT_PROFILE).encoder.model_copy(update=changes)
    return DocumentReader(open_encoder(profile, models_cache()), packaged_classifier())


def encoding_against_plain(texts: Sequence[str]) -> dict[str, float]:
    """How many times as fast the scorer is as SentenceTransformer.encode in input order, on the same windows.

    The scorer's time is of its whole reading: words, disguises and what is read again without rounding too.
    ``equal_labels`` is the share of documents with the level that float32 in input order gives; names that end in
    ``float32`` are of the scorer without the CPU's units for bfloat16.
    """
    readers = {"fast": packaged_reader(), "float32": packaged_reader(dtype="float32")}
    plain = packaged_reader(dtype="float32")
    windows = plain.votes(texts).pieces
    plain.encoder = _InInputOrder(plain.encoder)

    def in_input_order() -> None:
        for first in range(0, len(windows), PLAIN_BATCH):
            plain.encoder.network.encode(windows[first : first + PLAIN_BATCH], batch_size=PLAIN_BATCH)

    found: dict[str, float] = {}
    seconds = min(_seconds(in_input_order) for _ in range(TRIES))
    reference = [document.level for document in plain.read(texts)]
    for name, reader in readers.items():
        found[f"ratio_{name}"] = seconds / min(_seconds(partial(reader.read, texts)) for _ in range(TRIES))
        levels = [document.level for document in reader.read(texts)]
        found[f"equal_labels_{name}"] = float(
            np.mean([a == b for a, b in zip(levels, reference, strict=True)])
        )
    return found


class _InInputOrder:
    """An encoder that embeds windows a few at a time, as they come."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def exact(self) -> _InInputOrder:
        return self

    def encode(self, texts: Sequence[str], *, max_tokens: int | None = None) -> EncodedTexts:
        ids, spans = self._encoder.token_windows(texts, max_tokens=max_tokens)
        embeddings = [
            self._encoder.embed_windows(ids[first : first + PLAIN_BATCH])
            for first in range(0, len(ids), PLAIN_BATCH)
        ]
        lengths = np.array([len(window) for window in ids], np.int64)
        return EncodedTexts(*spans.T, lengths, np.concatenate(embeddings))


def encoding_on_gpu(texts: Sequence[str]) -> dict[str, float] | None:
    """Documents per second on a GPU, and the share of the encoder's throughput on windows that are cut already; None
    without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    reader = packaged_reader(device="cuda")
    encoder, tokens = reader.encoder, reader.classifier.window_tokens
    windows, _ = encoder.token_windows(texts, max_tokens=tokens)
    bare = min(_seconds(lambda: encoder.embed_windows(windows)) for _ in range(3))
    whole = min(_seconds(lambda: encoder.encode(texts, max_tokens=tokens)) for _ in range(3))
    return {"documents_per_s": len(texts) / whole, "ratio": bare / whole}


def web_texts(source: str) -> list[str]:
    """Documents to measure on: of a folder of Parquet shards, the same number from each, or the packaged sample."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = build_sample(Path(folder) / "sample") if source == "sample" else Path(source)
        files = sorted(root.rglob("*.parquet"))
        if not files:
            raise SystemExit(f"There is no Parquet file in {root}: give a folder of shards, or sample.")
        tables = [pq.read_table(file, columns=["text"]).column("text").to_pylist() for file in files]
    return [text for table in tables for text in table[: -(-DOCUMENTS // len(files))] if text]


def embedding_through_the_asset() -> dict[str, float]:
    """Windows per second of :func:`score_shard`, lake included, and of its encoder alone on the same windows.

    The language model is a stand-in that answers at once, so that only the embedding side counts.
    """
    reader = packaged_reader()
    examples = examples_of(list(seed_rows()))
    undecided = np.zeros((examples.splits == "calibration").sum(), np.float32)
    scorer = DocumentScorer(
        reader,
        train_confirmation(
            examples, examples.split("calibration").texts, undecided, reader.classifier.lexical
        ),
        LlmCalibration({}),
        None,
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
        with lake.read("fineweb", partition=SHARD, columns=["text"]) as rows:
            texts = rows.read_all().column("text").to_pylist()
        windows, _ = reader.encoder.token_windows(texts, max_tokens=reader.classifier.window_tokens)
        times: dict[str, list[float]] = {"asset": [], "bare": []}
        for _ in range(3):
            times["bare"].append(_seconds(lambda: reader.encoder.embed_windows(windows)))
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
