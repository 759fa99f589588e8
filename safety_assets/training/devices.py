"""Training on several devices: the same loop, in processes of its own.

Lightning starts one process a device by running the program again. A Dagster step must not be run again, so a small
program is: ``python -m safety_assets.training.devices FOLDER``. What it needs lies in the folder, and what it made as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
from litgpt import Config

from safety_assets.training.data import TrainingRows, Windows, write_windows
from safety_assets.training.errors import TrainingError
from safety_assets.training.trainer import LossPoint, TrainingResult, TrainingSettings, train

__all__ = ["main", "train_on_devices"]

JOB, RESULT = "job.json", "result.json"
ROWS_AT_ONCE = 1_024


def train_on_devices(
    settings: TrainingSettings,
    config: Config,
    rows: TrainingRows,
    folder: Path,
    *,
    initial: Path | None = None,
    progress: Callable[[LossPoint, int], None] | None = None,
) -> TrainingResult:
    """:func:`train`, in this process for one device and in others for several.

    Raises:
        TrainingError: as :func:`train`, or a process that failed.
    """
    if settings.devices == 1:
        return train(settings, config, rows, folder, initial=initial, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    windows = write_windows(_batches(rows), folder / "rows.parquet", length=rows.length)
    (folder / RESULT).unlink(missing_ok=True)
    job = {
        "settings": asdict(settings),
        "config": asdict(config),
        "rows": str(folder / "rows.parquet"),
        "digest": rows.digest,
        "initial": str(initial) if initial else None,
    }
    (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "safety_assets.training.devices", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode or not (folder / RESULT).is_file():
        raise TrainingError(
            f"Training on {settings.devices} devices ended with code {ended.returncode}: "
            f"{(ended.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    result = TrainingResult(
        **found
        | {"curve": [LossPoint(*point) for point in found["curve"]], "weights": Path(found["weights"])}
    )
    if progress:
        progress(result.curve[-1], len(result.curve))
    (folder / "rows.parquet").unlink()
    assert windows.count == rows.count
    return result


def main(arguments: list[str] | None = None) -> int:
    """One device's process; Lightning starts the others."""
    folder = Path((arguments or sys.argv[1:])[0])
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    settings = TrainingSettings(**job["settings"] | {"betas": tuple(job["settings"]["betas"])})
    rows = Windows(Path(job["rows"]))
    # The name of the rows as the caller knows them, so that a state belongs to the same training.
    rows.digest = job["digest"]
    initial = Path(job["initial"]) if job["initial"] else None
    result = train(settings, _config(job["config"]), rows, folder, initial=initial)
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        points = [(point.step, point.tokens, point.loss, point.rate) for point in result.curve]
        found = asdict(result) | {"curve": points, "weights": str(result.weights)}
        beside = folder / f"{RESULT}.writing"
        beside.write_text(json.dumps(found), encoding="utf-8")
        beside.replace(folder / RESULT)
    return 0


def _config(values: dict) -> Config:
    # Derived in Config's own initialisation; it takes no value for them.
    return Config(**{name: value for name, value in values.items() if name in Config.__dataclass_fields__})


def _batches(rows: TrainingRows):
    schema = pa.schema([("token_ids", pa.list_(pa.uint16())), ("loss_mask", pa.list_(pa.bool_()))])
    for first in range(0, rows.count, ROWS_AT_ONCE):
        ids, mask = rows.rows(first, min(ROWS_AT_ONCE, rows.count - first))
        yield pa.RecordBatch.from_pydict(
            {"token_ids": list(ids.astype("uint16")), "loss_mask": list(mask)}, schema=schema
        )


if __name__ == "__main__":
    sys.exit(main())
