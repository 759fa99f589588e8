"""The other process of ``running.py``: ``python -m safety_assets.benchmark.alone ASKED ANSWERED``, both pickled files."""

from __future__ import annotations

import pickle
import sys
import traceback
from pathlib import Path

from safety_assets.benchmark.errors import ScorerError
from safety_assets.benchmark.running import timed_run

__all__ = ["main"]


def main(asked: Path, answered: Path) -> None:
    """Run what was asked; the answer is a run, or the error that it ended in."""
    try:
        opener, texts, others = pickle.loads(asked.read_bytes())
        answer = pickle.dumps(timed_run(opener, texts, others, alone=True))
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__))
        error.add_note(f"In the scorer's own process:\n{where}")
        answer = _told(error)
    beside = answered.with_suffix(".part")
    beside.write_bytes(answer)
    beside.replace(answered)


def _told(error: Exception) -> bytes:
    """The error, or its kind where it cannot be sent; some only fail when they are read again."""
    try:
        told = pickle.dumps(error)
        pickle.loads(told)
        return told
    except Exception:
        return pickle.dumps(
            ScorerError(f"The scorer failed with {type(error).__name__}: run it alone to see why.")
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
