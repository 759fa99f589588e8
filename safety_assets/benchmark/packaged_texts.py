"""What there is to measure without any file: the seeds that no scorer trains on, and the sample's documents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from safety_assets.benchmark.labels import LabelledText, harmful_of
from safety_assets.sample_data.sample import Split, build_sample, intended_labels, load_seeds

__all__ = ["packaged_texts"]

# Kinds of sample documents that are harmless although their topic, or their look, is not.
SENSITIVE = {"sensitive", "whois", "keygen_seo", "safety_data_sheet", "source_code", "true_crime", "health"}


def packaged_texts() -> Iterator[LabelledText]:
    """The test split of the seeds, then the sample's documents with the levels their authors meant."""
    for seed in load_seeds():
        if seed.split is Split.TEST:
            yield LabelledText(seed.text, "seeds", "seeds", seed.score, harmful_of(seed.score))
    labels = intended_labels()
    with tempfile.TemporaryDirectory(prefix="sample-") as folder:
        for shard in sorted(build_sample(Path(folder)).rglob("*.parquet")):
            for row in pq.read_table(shard, columns=["id", "text"]).to_pylist():
                meant = labels[row["id"]]
                sensitive = meant.level == 0 and meant.kind in SENSITIVE
                yield LabelledText(
                    row["text"],
                    "documents",
                    "sensitive documents" if sensitive else "documents",
                    meant.level,
                    harmful_of(meant.level),
                    sensitive,
                )
