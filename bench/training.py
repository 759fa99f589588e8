"""Training through the project against a bare LitGPT loop: same model, same batches, alternating in one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

__all__ = ["bench_training"]

VOCABULARY, CONTEXT, BATCH, STEPS, ROUNDS = 4_096, 256, 8, 16, 4


def bench_training() -> dict[str, float]:
    """``ratio``: tokens a second of ``train`` over those of the bare loop, each the best of some rounds."""
    from safety_assets.training.data import write_windows
    from safety_assets.training.models import model_config
    from safety_assets.training.trainer import TrainingSettings, train

    config = model_config("micro", vocabulary=VOCABULARY, padded_vocabulary=VOCABULARY, context=CONTEXT)
    settings = TrainingSettings(peak_rate=1e-3, micro_batch=BATCH, save_every_steps=STEPS + 1)
    ours, bare = [], []
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        windows = write_windows(_windows(), Path(folder) / "windows.parquet", length=CONTEXT + 1)
        for number in range(ROUNDS):
            # The first step of each warms up and is not counted; so is what stands before and after the loop.
            ticks: list[float] = []
            train(
                settings,
                config,
                windows,
                Path(folder) / f"run-{number}",
                progress=lambda *_, ticks=ticks: ticks.append(time.perf_counter()),
            )
            ours.append((STEPS - 1) * BATCH * CONTEXT / (ticks[-1] - ticks[0]))
            ticks = _bare_loop(config, windows)
            bare.append((STEPS - 1) * BATCH * CONTEXT / (ticks[-1] - ticks[0]))
    return {"ratio": max(ours) / max(bare), "tokens_per_s": max(ours)}


def _windows():
    draw = np.random.default_rng(0)
    ids = draw.integers(0, VOCABULARY, (BATCH * STEPS, CONTEXT + 1)).astype(np.uint16)
    schema = pa.schema([("token_ids", pa.list_(pa.uint16())), ("loss_mask", pa.list_(pa.bool_()))])
    mask = np.ones(ids.shape, bool)
    yield pa.RecordBatch.from_pydict({"token_ids": list(ids), "loss_mask": list(mask)}, schema=schema)


def _bare_loop(config, windows) -> list[float]:
    """What LitGPT's own pretraining does in a step, and nothing else."""
    import lightning as L
    import torch
    from litgpt.utils import chunked_cross_entropy

    from safety_assets.training.models import build_model

    fabric = L.Fabric(accelerator="cuda" if torch.cuda.is_available() else "cpu", devices=1)
    model = build_model(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01)
    model, optimizer = fabric.setup(model, optimizer)
    batches = [
        torch.from_numpy(windows.rows(step * BATCH, BATCH)[0]).to(fabric.device) for step in range(STEPS)
    ]
    ticks = []
    for ids in batches:
        logits = model(ids[:, :-1].contiguous())
        loss = chunked_cross_entropy(logits, ids[:, 1:].contiguous(), chunk_size=0)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        float(loss.detach())
        ticks.append(time.perf_counter())
    return ticks
