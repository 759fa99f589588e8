"""``make bench``: every figure that has a goal, measured in this run, as one table."""

from __future__ import annotations

import argparse
import sys

from bench.decoding import decoding
from bench.lake import PROCESSES, WRITES, four_writers, memory_growth
from bench.loading import loading
from bench.mixtures import mixture_memory
from bench.rendering import bench_rendering, bench_tagging
from bench.scoring import (
    choices_against_json,
    embedding_through_the_asset,
    encoding_against_plain,
    encoding_on_gpu,
    web_texts,
)
from bench.training import bench_training


def main() -> int:
    """Print the table; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--source", default="sample", help="sample, or a folder of Parquet shards to encode")
    options = parser.parse_args()
    rows: list[tuple[str, float, str, float]] = []
    found = loading()
    rows.append(("definitions load, seconds", found["seconds"], "<=", 3))
    rows.append(("definitions import torch", found["imports_torch"], "<=", 0))
    writers = four_writers()
    rows.append(("4 processes x 20 x 2,000 rows, seconds", writers["seconds"], "<=", 10))
    rows.append(("rows lost or doubled", writers["lost"] + writers["doubled"], "<=", 0))
    missing = PROCESSES * WRITES - writers["writes"]
    failures = writers["failed_processes"] + writers["wrong_versions"]
    rows.append(("writes missing, writers failed", missing + failures, "<=", 0))
    rows.append(("peak memory at 10x the rows, ratio", memory_growth()["ratio"], "<=", 1.3))
    rows.append(
        ("embedding through the asset / bare encoder", embedding_through_the_asset()["ratio"], ">=", 0.9)
    )
    found = encoding_against_plain(web_texts(options.source))
    rows.append(("scoring / plain encoding, tokens a second", found["ratio_fast"], ">=", 1.5))
    rows.append(("  labels equal to plain float32", found["equal_labels_fast"], ">=", 1.0))
    print(f"without units for bfloat16: {found['ratio_float32']:.2f} times plain encoding")
    rows.append(("  in float32, labels equal to plain", found["equal_labels_float32"], ">=", 1.0))
    on_gpu = encoding_on_gpu(web_texts(options.source))
    if on_gpu:
        print(f"{on_gpu['documents_per_s']:.0f} documents a second on the GPU")
        rows.append(("  on a GPU, of the bare encoder's throughput", on_gpu["ratio"], ">=", 0.95))
    rows.append(("JSON mode / log-probabilities, time", choices_against_json()["ratio"], ">=", 5))
    rows.append(("tagging, MB of text a second and core", bench_tagging()["mb_per_s"], ">=", 20))
    rows.append(("rendering and packing / bare tokenizer", bench_rendering()["ratio"], ">=", 0.6))
    rows.append(("mixture's peak memory at 10x the text, ratio", mixture_memory()["ratio"], "<=", 1.3))
    rows.append(("training through train() / bare LitGPT loop", bench_training()["ratio"], ">=", 0.95))
    found = decoding()
    rows.append(("SafeBeam a step / (N x plain beam)", found["ratio"], "<=", 1.2))
    rows.append(("SafeBeam forward passes a step", found["forwards_per_step"], "<=", 1))
    rows.append(("SafeBeam sequences a step / (k x N)", found["sequences_per_step"], "<=", 1))
    rows.append(("SafeBeam sequences evaluated twice", found["evaluated_twice"], "<=", 0))
    missed = 0
    print(f"\n{'what':<46}{'measured':>10}   goal")
    for name, value, sign, goal in rows:
        met = value <= goal if sign == "<=" else value >= goal
        missed += not met
        print(f"{name:<46}{value:>10.2f}   {sign} {goal:g}  {'' if met else 'MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
