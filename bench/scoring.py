"""Scoring: the asset's path against the bare encoder, and log-probabilities against the paper's JSON mode."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from resources.encoder import cut_windows, open_encoder
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
# Windows that the plain way embeds together, in the order in which they come.
PLAIN_BATCH = 32


def packaged_reader(**changes: str) -> DocumentReader:
    """The packaged classifier over its encoder, as the embedded profile has it but for changes of ``dtype`` or ``device``."""
    profile = load_profile(DEFAULT_PROFILE).encoder.model_copy(update=changes)
    return DocumentReader(open_encoder(profile, models_cache()), packaged_classifier())


def encoding_against_plain(texts: Sequence[str]) -> dict[str, float]:
    """Tokens per second of the scorer's encoding and of SentenceTransformer.encode in input order, on the same windows.

    ``equal_labels`` is the share of documents with the level that float32 in input order gives; ``ratio_float32`` and
    ``equal_labels_float32`` are of the scorer without the CPU's units for bfloat16.
    """
    fast, exact = packaged_reader(), packaged_reader(dtype="float32")
    votes, classifier = exact.votes(texts), exact.classifier
    windows, tokens = votes.pieces, int(votes.encoded.tokens.sum())
    plain = exact.encoder._model

    def in_input_order() -> None:
        for first in range(0, len(windows), PLAIN_BATCH):
            plain.encode(windows[first : first + PLAIN_BATCH], batch_size=PLAIN_BATCH)

    ways = {
        "plain": in_input_order,
        "fast": lambda: fast.encoder.encode(texts, max_tokens=classifier.window_tokens),
        "float32": lambda: exact.encoder.encode(texts, max_tokens=classifier.window_tokens),
    }
    best = {name: min(_seconds(way) for _ in range(3)) for name, way in ways.items()}
    reference = _levels_in_input_order(exact, texts)
    return {
        "tokens": tokens,
        "plain_tokens_per_s": tokens / best["plain"],
        "tokens_per_s": tokens / best["fast"],
        "ratio": best["plain"] / best["fast"],
        "ratio_float32": best["plain"] / best["float32"],
        "equal_labels": float((_levels(fast, texts) == reference).mean()),
        "equal_labels_float32": float((_levels(exact, texts) == reference).mean()),
    }


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


def _levels(reader: DocumentReader, texts: Sequence[str]) -> np.ndarray:
    found = reader.votes(texts)
    return reader.classifier.levels(reader.classifier.probabilities(np.nan_to_num(found.documents)))


def _levels_in_input_order(reader: DocumentReader, texts: Sequence[str]) -> np.ndarray:
    """Levels from the same windows, embedded a few at a time as they come."""
    encoder, classifier = reader.encoder, reader.classifier
    ids = [
        tokens[first:last]
        for _, tokens, offsets, _ in encoder._tokenise(texts)
        for first, last in pairwise(cut_windows(offsets, classifier.window_tokens))
    ]
    features = np.concatenate(
        [encoder._forward(ids[first : first + PLAIN_BATCH]) for first in range(0, len(ids), PLAIN_BATCH)]
    )
    votes = reader.votes(texts)
    logits = classifier.window_logits(votes.pieces, features)
    pooled = classifier.document_logits(logits, votes.encoded.document, len(texts))
    return classifier.levels(classifier.probabilities(np.nan_to_num(pooled)))


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
        train_confirmation(examples, undecided, reader.classifier.lexical),
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
