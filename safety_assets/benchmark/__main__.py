"""Scorers compared from the command line, without a lake: ``python -m safety_assets.benchmark --files labelled.jsonl``.

The embedding classifier is the packaged one, or one's own from a file; the language model is calibrated on the packaged seeds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from resources.errors import ResourceError
from safety_assets.benchmark.errors import BenchmarkError
from safety_assets.benchmark.openers import SCORERS, Opener

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Compare and print; returns the exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        _compare(options)
        return 0
    except ResourceError as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1


def _compare(options: argparse.Namespace) -> None:
    from safety_assets.benchmark.compare import compare
    from safety_assets.benchmark.page import benchmark_html
    from safety_assets.benchmark.plan import labelled_texts
    from safety_assets.benchmark.report import benchmark_markdown
    from safety_assets.pages import write_page

    models = dict(_named(pair) for pair in options.model)
    openers = [
        Opener(
            scorer,
            profile=options.profile,
            head=_bytes(options.head),
            words=options.words,
            models=models,
            device=options.device,
        )
        for scorer in dict.fromkeys(name.strip() for name in options.scorers.split(","))
    ]
    texts = labelled_texts(options.files, rules=options.labels, most=options.max_texts)
    comparison = compare(
        texts,
        openers,
        folds=options.folds,
        attacks=_attacks(options.attacked_texts),
        attacked_texts=options.attacked_texts,
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    kinds = ("all", "collection", *(["attack"] if options.attacked_texts else []))
    print(benchmark_markdown(comparison, kinds))
    if options.page:
        write_page(benchmark_html(comparison), options.page)


def _attacks(texts: int) -> Mapping[str, Callable[[str], str]] | None:
    if not texts:
        return None
    from safety_assets.benchmark.attacks import ATTACKS

    return ATTACKS


def _named(pair: str) -> tuple[str, str]:
    name, equals, folder = pair.partition("=")
    if not equals or not folder:
        raise BenchmarkError(f"--model takes NAME=FOLDER or NAME=ID@REVISION, not {pair!r}.")
    return name, folder


def _bytes(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise BenchmarkError(f"The classifier head {path} cannot be read: {error.strerror}.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m safety_assets.benchmark", description="Compare safety scorers on labelled texts."
    )
    parser.add_argument(
        "--files",
        nargs="*",
        type=Path,
        default=[],
        help="JSON Lines or Parquet with text and score 0-5, or harmful true/false; the packaged texts if none",
    )
    parser.add_argument("--labels", type=Path, help="rules for sources without a score, as labels.yaml")
    parser.add_argument(
        "--scorers", default="embedding,profanity,word-list", help=f"of {', '.join(SCORERS)}; with commas"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="for llama-guard, qwen3guard and detoxify",
    )
    parser.add_argument("--head", type=Path, help="a classifier of one's own, as bytes in a file")
    parser.add_argument("--words", type=Path, help="a word list of one's own")
    parser.add_argument("--profile", help="encoder and language model; embedded if not set")
    parser.add_argument("--device", default="cpu", help="where models of others run")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-texts", type=int, help="texts of a file at most")
    parser.add_argument("--attacked-texts", type=int, default=0, help="texts that attacks are tried on")
    parser.add_argument("--page", type=Path, help="where to write the HTML page")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
