"""Memory of building a mixture, from a corpus and from ten times as much: each in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

__all__ = ["mixture_memory"]

DOCUMENTS, TIMES, WORDS = 3_000, 10, 300
CONTEXT = 512


def mixture_memory() -> dict[str, float]:
    """``ratio``: peak memory at ten times the documents and tokens over that at once."""
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-m", "bench.mixtures", str(count)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()[-1]
        )
        for count in (DOCUMENTS, DOCUMENTS * TIMES)
    ]
    return {"ratio": peaks[1] / peaks[0], "peak_mb": peaks[1] / 1024}


def _mix(count: int) -> None:
    from resources.lake import Lake, LakeSettings, Provenance
    from resources.profile import MixtureProfile
    from safety_assets.mixtures.mix import inputs_of, mix, mixture_tokenizer
    from safety_assets.mixtures.recipes import Recipe

    with tempfile.TemporaryDirectory(prefix="bench-mixture-") as folder:
        settings = LakeSettings(f"sqlite:{folder}/catalog.sqlite", f"{folder}/data", memory_limit="512MB")
        lake = Lake(settings)
        for table, batches in (("fineweb", _documents(count)), ("scored_fineweb", _scores(count))):
            schema = lake.schema(table)
            rows = (pa.RecordBatch.from_pylist(batch, schema=schema) for batch in batches)
            lake.replace_partition(table, rows, Provenance(table, "s", "bench"))
        recipe = Recipe("raw", "bench", {"web": 1.0})
        # About one and a half tokens a word with the small tokenizer; the whole corpus is used once.
        profile = MixtureProfile(tokens=count * WORDS, context=CONTEXT, validation_windows=8)
        versions = {
            version.table: version
            for table in ("fineweb", "scored_fineweb")
            for version in lake.versions(table)
        }
        tokenizer = mixture_tokenizer(profile, Path(folder))
        inputs, _ = inputs_of(recipe, lake, overriding=True)
        mix(
            recipe,
            profile,
            lake,
            inputs,
            versions,
            tokenizer,
            Provenance("m", "raw", "bench"),
            cache=Path(folder),
        )
        lake.close()


def _documents(count: int):
    words = [f"word{number % 997}" for number in range(WORDS)]
    for first in range(0, count, 256):
        yield [
            {
                "shard": "s",
                "row_number": row,
                "document_id": f"d{row}",
                "text_hash": f"{row:064x}",
                "text": f"Page {row}: " + " ".join(words[row % WORDS :] + words[: row % WORDS]),
            }
            for row in range(first, min(first + 256, count))
        ]


def _scores(count: int):
    for first in range(0, count, 1_024):
        yield [
            {
                "shard": "s",
                "document_id": f"d{row}",
                "text_hash": f"{row:064x}",
                "tokens": 1,
                "safety_score": 0,
                "state": "scored",
                "category": "none",
                "embedding_state": "scored",
                "embedding_version": "v",
                "llm_state": "scored",
                "llm_version": "v",
            }
            for row in range(first, min(first + 1_024, count))
        ]


if __name__ == "__main__":
    _mix(int(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
