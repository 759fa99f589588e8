"""The training loop: Lightning Fabric, LitGPT's model, exact resume.

A state holds everything the next step depends on. It is written beside and renamed, and belongs to exactly one
combination of settings, model and data: another one never goes on from it. Imports torch, lightning and litgpt.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning as L
import torch
from litgpt import Config
from torch.nn import functional

from safety_assets.training.data import TrainingRows, WindowData
from safety_assets.training.models import build_model, parameters_of
from safety_assets.training.schedule import wsd

__all__ = ["LossPoint", "TrainingResult", "TrainingSettings", "fingerprint_of", "perplexity", "train"]

IGNORED = -100
# Dense half-precision peaks in FLOP/s, by what the driver calls the device (makers' data sheets).
DEVICE_PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10": 125e12, "4090": 165e12}


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that shapes a training but model and data. Defaults are SmolLM2's (SP section 5)."""

    peak_rate: float
    micro_batch: int = 8
    accumulation: int = 1
    warmup_share: float = 0.05
    decay_share: float = 0.2
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    compile: bool = False
    seed: int = 0
    save_every_steps: int = 50


@dataclass(frozen=True)
class LossPoint:
    """One step: tokens seen so far, the mean loss of the step's trained tokens in nats, and the learning rate."""

    step: int
    tokens: int
    loss: float
    rate: float


@dataclass(frozen=True)
class TrainingResult:
    """How a training went. ``utilisation`` is achieved over peak FLOP/s, None where the peak is not known."""

    curve: list[LossPoint]
    parameters: int
    tokens_per_second: float
    utilisation: float | None
    weights: Path
    resumed_at: int | None
    tokens: int
    examples: int

    @property
    def final_loss(self) -> float:
        return self.curve[-1].loss


def train(
    settings: TrainingSettings,
    config: Config,
    rows: TrainingRows,
    folder: Path,
    *,
    initial: Path | None = None,
    progress: Callable[[LossPoint, int], None] | None = None,
) -> TrainingResult:
    """Train one epoch over ``rows``; started again after a kill, it goes on where the last state was saved.

    Args:
        folder: of this training alone; holds ``state.pt`` while it runs and ``weights.pt`` when it is done.
        initial: weights to begin with (``weights.pt`` of another training); None begins with fresh ones.
        progress: told each step and the number of steps.

    Raises:
        TrainingError: rows that do not fit the model, or that fill no step.
    """
    fabric = L.Fabric(
        accelerator=_accelerator(settings),
        devices=settings.devices,
        strategy=settings.strategy,
        precision=settings.precision,
    )
    fabric.launch()
    fingerprint = fingerprint_of(settings, config, rows, initial)
    folder.mkdir(parents=True, exist_ok=True)
    fabric.seed_everything(settings.seed, verbose=False)
    model = build_model(config)
    if initial is not None:
        model.load_state_dict(torch.load(initial, weights_only=True))
    compiled = torch.compile(model) if settings.compile else model
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.peak_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=fabric.device.type == "cuda",
    )
    wrapped, optimizer = fabric.setup(compiled, optimizer)
    data = _data(settings, rows, fabric, config)
    curve, spent = _restore(folder, fingerprint, model, optimizer, fabric)
    data.first_step = resumed = len(curve)
    started, done = time.monotonic(), len(curve)
    for step, batches in _steps(data, fabric):
        rate = settings.peak_rate * wsd(step, steps=data.steps, **_phases(settings, data.steps))
        loss = _update(wrapped, optimizer, batches, rate, settings, fabric)
        tokens = (step + 1) * data.global_batch * (rows.length - 1)
        curve.append(LossPoint(step + 1, tokens, loss, rate))
        if progress:
            progress(curve[-1], data.steps)
        if (step + 1) % settings.save_every_steps == 0 and step + 1 < data.steps:
            _save(folder, fingerprint, model, optimizer, curve, spent + time.monotonic() - started, fabric)
    seconds = spent + time.monotonic() - started
    if done < len(curve):
        _save(folder, fingerprint, model, optimizer, curve, seconds, fabric)
    weights = _finish(folder, model, fabric)
    speed = curve[-1].tokens / max(seconds, 1e-9)
    return TrainingResult(
        curve=curve,
        parameters=parameters_of(model),
        tokens_per_second=speed,
        utilisation=_utilisation(speed, model, config, fabric),
        weights=weights,
        resumed_at=resumed or None,
        tokens=curve[-1].tokens,
        examples=data.steps * data.global_batch,
    )


@torch.no_grad()
def perplexity(config: Config, weights: Path, rows: TrainingRows, *, batch: int = 16) -> float | None:
    """exp of the mean loss over the trained tokens of held-out rows; None without rows."""
    if not rows.count:
        return None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(config).to(device).eval()
    model.load_state_dict(torch.load(weights, weights_only=True, map_location=device))
    total, count = 0.0, 0
    for first in range(0, rows.count, batch):
        ids, mask = rows.rows(first, min(batch, rows.count - first))
        inputs, targets = _shifted(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        total += float(_summed_loss(model(inputs), targets))
        count += int((targets != IGNORED).sum())
    return float(torch.exp(torch.tensor(total / max(count, 1), dtype=torch.float64)))


def _accelerator(settings: TrainingSettings) -> str:
    if settings.accelerator != "auto":
        return settings.accelerator
    return "cuda" if torch.cuda.is_available() else "cpu"


def _data(settings: TrainingSettings, rows: TrainingRows, fabric: L.Fabric, config: Config) -> WindowData:
    from safety_assets.training.errors import TrainingError

    data = WindowData(
        rows, accumulation=settings.accumulation, rank=fabric.global_rank, devices=fabric.world_size
    )
    data.connect(batch_size=settings.micro_batch, max_seq_length=config.block_size)
    if data.steps < 1:
        raise TrainingError(
            f"{rows.count} rows fill no step of {data.global_batch}: give more data, or smaller batches."
        )
    return data


def _phases(settings: TrainingSettings, steps: int) -> dict[str, int]:
    warmup = min(steps, max(1, round(settings.warmup_share * steps)))
    return {"warmup": warmup, "decay": min(steps - warmup, round(settings.decay_share * steps))}


def _steps(data: WindowData, fabric: L.Fabric) -> Iterator[tuple[int, list]]:
    loader = fabric.setup_dataloaders(data.train_dataloader(), use_distributed_sampler=False)
    batches = iter(loader)
    for step in range(data.first_step, data.steps):
        yield step, [next(batches) for _ in range(data.accumulation)]


def _update(
    model, optimizer, batches: list, rate: float, settings: TrainingSettings, fabric: L.Fabric
) -> float:
    """One optimizer step; the loss is the mean over all trained tokens of the global batch."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    shifted = [_shifted(ids, mask) for ids, mask in batches]
    trained = torch.stack([(targets != IGNORED).sum() for _, targets in shifted]).sum()
    trained = fabric.all_reduce(trained, reduce_op="sum").clamp(min=1)
    loss = torch.zeros((), device=fabric.device)
    for number, (inputs, targets) in enumerate(shifted):
        with fabric.no_backward_sync(model, enabled=number < len(shifted) - 1):
            part = _summed_loss(model(inputs), targets) / trained
            # Devices average their gradients; here they are to add up.
            fabric.backward(part * fabric.world_size)
        loss += part.detach()
    fabric.clip_gradients(model, optimizer, max_norm=settings.clip)
    optimizer.step()
    optimizer.zero_grad()
    return float(fabric.all_reduce(loss, reduce_op="sum"))


def _shifted(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T + 1) -> inputs (B, T), and targets (B, T) with what is not trained on ignored."""
    return ids[:, :-1].contiguous(), torch.where(mask[:, 1:], ids[:, 1:], IGNORED).contiguous()


def _summed_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    flat = logits.reshape(-1, logits.size(-1)).float()
    return functional.cross_entropy(flat, targets.reshape(-1), ignore_index=IGNORED, reduction="sum")


def fingerprint_of(
    settings: TrainingSettings, config: Config, rows: TrainingRows, initial: Path | None = None
) -> str:
    """16 hex digits of everything that decides the weights that come out."""
    shape = {key: value for key, value in asdict(settings).items() if key != "save_every_steps"}
    begun = hashlib.sha256(initial.read_bytes()).hexdigest() if initial else None
    parts = [shape, asdict(config), rows.digest, rows.count, rows.length, begun, torch.__version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _restore(
    folder: Path, fingerprint: str, model, optimizer, fabric: L.Fabric
) -> tuple[list[LossPoint], float]:
    path = folder / "state.pt"
    if not path.is_file():
        return [], 0.0
    # Written by _save of this project alone; tensors, numbers and names, so no code is loaded with it.
    state = torch.load(path, weights_only=True, map_location=fabric.device)
    if state["fingerprint"] != fingerprint:
        return [], 0.0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"].cpu())
    if fabric.device.type == "cuda" and state["device_rng"] is not None:
        torch.cuda.set_rng_state(state["device_rng"].cpu())
    return [LossPoint(*point) for point in state["curve"]], state["seconds"]


def _save(folder: Path, fingerprint: str, model, optimizer, curve, seconds: float, fabric: L.Fabric) -> None:
    if fabric.is_global_zero:
        cuda = fabric.device.type == "cuda"
        state = {
            "fingerprint": fingerprint,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "device_rng": torch.cuda.get_rng_state() if cuda else None,
            "curve": [(point.step, point.tokens, point.loss, point.rate) for point in curve],
            "seconds": seconds,
        }
        _write(state, folder / "state.pt")
    fabric.barrier()


def _finish(folder: Path, model, fabric: L.Fabric) -> Path:
    path = folder / "weights.pt"
    if fabric.is_global_zero:
        _write({name: value.float().cpu() for name, value in model.state_dict().items()}, path)
    fabric.barrier()
    return path


def _write(state: dict, path: Path) -> None:
    beside = path.with_suffix(".writing")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _utilisation(speed: float, model, config: Config, fabric: L.Fabric) -> float | None:
    if fabric.device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(fabric.device)
    peak = next((flops for part, flops in DEVICE_PEAKS.items() if part in name), None)
    # Six operations a parameter and token, and attention over the context.
    per_token = 6 * parameters_of(model) + 12 * config.n_layer * config.n_embd * config.block_size
    return speed * per_token / (peak * fabric.world_size) if peak else None
