"""A small training in a process of its own, so that it can be killed: ``python -m tests.support.training_run``.

Arguments: the folder of the training, ``windows`` or ``examples``, and the step after which it kills itself (0: never).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from safety_assets.rendering.renderer import Rendered
from safety_assets.training.data import Examples, TrainingRows, write_windows
from safety_assets.training.models import model_config
from safety_assets.training.trainer import LossPoint, TrainingResult, TrainingSettings, train

__all__ = ["CONTEXT", "SETTINGS", "VOCABULARY", "config", "examples", "run", "windows"]

VOCABULARY, CONTEXT = 96, 16
SETTINGS = TrainingSettings(
    peak_rate=3e-3, micro_batch=2, accumulation=2, save_every_steps=3, accelerator="cpu"
)


def config():
    """The micro model over a tiny vocabulary."""
    return model_config("micro", vocabulary=VOCABULARY, padded_vocabulary=VOCABULARY, context=CONTEXT)


def windows(path: Path, count: int = 40, *, seed: int = 0) -> TrainingRows:
    """Windows of a pattern that can be learned, a fifth of their tokens masked."""
    draw = np.random.default_rng(seed)
    ids = (draw.integers(0, 8, (count, 1)) * 7 + np.arange(CONTEXT + 1)) % VOCABULARY
    mask = draw.random(ids.shape) > 0.2
    batch = pa.RecordBatch.from_pydict(
        {"token_ids": list(ids.astype(np.uint16)), "loss_mask": list(mask)},
        schema=pa.schema([("token_ids", pa.list_(pa.uint16())), ("loss_mask", pa.list_(pa.bool_()))]),
    )
    return write_windows([batch], path, length=CONTEXT + 1)


def examples(count: int = 12, epochs: int = 4) -> TrainingRows:
    """Tuning examples of different lengths; only their second halves are learned."""
    draw = np.random.default_rng(1)
    made = []
    for _ in range(count):
        length = int(draw.integers(6, CONTEXT + 8))
        ids = np.arange(length, dtype=np.int32) % VOCABULARY
        made.append(Rendered(ids, np.arange(length) >= length // 2, (0,), ((None, None),), 0))
    return Examples(made, length=CONTEXT + 1, epochs=epochs, seed=3, pad_id=0)


def run(folder: Path, kind: str, killed_after: int = 0) -> TrainingResult:
    """Train; after ``killed_after`` steps the process kills itself as a power cut would."""
    torch.set_num_threads(1)
    rows = windows(folder / "windows.parquet") if kind == "windows" else examples()

    def progress(point: LossPoint, _steps: int) -> None:
        if point.step == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)

    return train(SETTINGS, config(), rows, folder / "run", progress=progress)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
