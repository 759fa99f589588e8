"""General ability through lm-eval, on an exported folder and local files alone.

A task is a YAML file of ``evaluation/tasks``. Its data are packaged beside it, or stand in a folder the user names;
nothing is downloaded. lm-eval and what it needs are imported on the first run.
"""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from safety_assets.evaluation.errors import TaskError

__all__ = ["TaskScore", "available_tasks", "run_tasks", "task_config"]

# Draws for standard errors that have no formula.
BOOTSTRAP_DRAWS = 200


@dataclass(frozen=True)
class TaskScore:
    """A task's main metric in 0-1, its standard error (None where lm-eval gives none), and the questions asked."""

    metric: str
    value: float
    stderr: float | None
    questions: int


def available_tasks(data_folder: str | Path | None = None) -> list[str]:
    """Names of the tasks whose data are there: packaged ones, and those with all their files in ``data_folder``."""
    names = sorted(path.stem for path in _folder().glob("*.yaml"))
    return [name for name in names if not _missing(name, data_folder)]


def task_config(name: str, data_folder: str | Path | None = None) -> dict[str, Any]:
    """A task's lm-eval configuration, its data files as absolute paths.

    Raises:
        TaskError: no such task, or its data are not there.
    """
    if missing := _missing(name, data_folder):
        where = f"in {data_folder}" if data_folder else "and no folder of task data is set"
        raise TaskError(
            f"Task {name} needs {', '.join(missing)}, not found {where}: set the folder that has it."
        )
    config = _read(name)
    config["dataset_kwargs"] = {"data_files": _data_files(config, data_folder)}
    return config


def run_tasks(
    model_folder: str | Path,
    tasks: Sequence[str],
    *,
    data_folder: str | Path | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: int = 16,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, TaskScore]:
    """Ask a model all questions of the tasks.

    Args:
        model_folder: exported by training, in Hugging Face format with its tokenizer.
        data_folder: with the files of tasks whose data are not packaged.
        limit: at most this many questions of each task, the first ones.
        seed: of the draw of worked examples.

    Raises:
        TaskError: a task or its data are missing, lm-eval is not installed, or it failed.
    """
    if not tasks:
        return {}
    if not (Path(model_folder) / "config.json").is_file():
        raise TaskError(
            f"{model_folder} holds no exported model (no config.json): export the checkpoint first."
        )
    configs = [task_config(name, data_folder) for name in dict.fromkeys(tasks)]
    # Progress bars of libraries have no place in a run's log.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise TaskError(
            f"lm-eval cannot be imported ({error}): pip install 'safety-assets[evaluation]'."
        ) from error
    try:
        # Data sets are read anew each time: a cache would outlive files that were changed.
        with TemporaryDirectory(prefix="tasks-") as cache:
            for config in configs:
                config["dataset_kwargs"]["cache_dir"] = cache
            results = simple_evaluate(
                model=HFLM(str(model_folder), device=device, dtype=dtype, batch_size=batch_size),
                tasks=configs,
                task_manager=TaskManager(include_defaults=False),
                limit=limit,
                bootstrap_iters=BOOTSTRAP_DRAWS,
                log_samples=False,
                random_seed=seed,
                numpy_random_seed=seed,
                torch_random_seed=seed,
                fewshot_random_seed=seed,
            )
    except Exception as error:
        names = ", ".join(config["task"] for config in configs)
        raise TaskError(f"lm-eval failed on {names} with {model_folder}: {error}") from error
    return {config["task"]: _score(config, results) for config in configs}


def _score(config: Mapping[str, Any], results: Mapping[str, Any]) -> TaskScore:
    """The metric that the task's metadata names, whatever the filter it went through."""
    name, metric = config["task"], config["metadata"]["metric"]
    found = results["results"][name]
    keys = [key for key in found if key.split(",")[0] == metric]
    if len(keys) != 1 or not math.isfinite(float(found[keys[0]])):
        raise TaskError(f"lm-eval gave no single {metric} for task {name}, but {', '.join(map(str, found))}.")
    after = keys[0].partition(",")[2]
    stderr = found.get(f"{metric}_stderr,{after}")
    known = isinstance(stderr, int | float) and math.isfinite(stderr)
    questions = int(results["n-samples"][name]["effective"])
    return TaskScore(metric, float(found[keys[0]]), float(stderr) if known else None, questions)


def _missing(name: str, data_folder: str | Path | None) -> list[str]:
    """Files of the task that are not there, as the task names them."""
    config = _read(name)
    files = config["dataset_kwargs"]["data_files"]
    if data_folder is None and not config["metadata"].get("packaged"):
        return list(files.values())
    return [files[split] for split, found in _data_files(config, data_folder).items() if not found]


def _data_files(config: Mapping[str, Any], data_folder: str | Path | None) -> dict[str, list[str]]:
    """Paths by split: in the folder itself, or in a folder of it."""
    folder = _folder() if config["metadata"].get("packaged") else Path(data_folder or ".").resolve()
    found = {}
    for split, pattern in config["dataset_kwargs"]["data_files"].items():
        paths = sorted(folder.glob(pattern)) or sorted(folder.glob(f"*/{pattern}"))
        # The loader takes paths for patterns of its own.
        found[split] = [glob.escape(str(path)) for path in paths if path.is_file()]
    return found


def _read(name: str) -> dict[str, Any]:
    path = _folder() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in _folder().glob("*.yaml")))
        raise TaskError(f"There is no task {name}; known are {known}.")
    return yaml.safe_load(path.read_text("utf-8"))


def _folder() -> Path:
    return Path(__file__).parent / "tasks"
