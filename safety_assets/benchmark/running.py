"""Running a scorer over texts in a process of its own: its scores, its speed, and the memory that it takes.

Peak memory is the highest resident memory of that process: interpreter, libraries, weights and the largest batch. It
does not depend on what else runs or ran before, and holds no memory of a server or of a GPU; that of PyTorch on a GPU is
told apart.
"""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_assets.benchmark.errors import ScorerError
from safety_assets.benchmark.scored import Scored, Scorer

__all__ = ["Cost", "Run", "run_scorer", "timed_run"]

# Scored before the clock starts: weights load with the first text, and first batches are slow.
WARM_UP = 4


@dataclass(frozen=True)
class Cost:
    """What scoring took.

    Attributes:
        documents: scored while the clock ran, in ``seconds``.
        opening_seconds: to import, load weights and score the first few texts.
        peak_memory_mb: highest resident memory of the process, in MiB; None if it was not the scorer's own.
        device_memory_mb: highest memory that PyTorch held on a GPU, in MiB; None without one.
    """

    documents: int
    seconds: float
    opening_seconds: float
    peak_memory_mb: float | None
    device_memory_mb: float | None

    @property
    def documents_per_second(self) -> float:
        """0 where nothing was scored."""
        return self.documents / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Run:
    """A scorer's answers: for the texts, and for each of the other lists."""

    name: str
    version: str
    scored: Scored
    others: tuple[Scored, ...]
    cost: Cost


def run_scorer(
    opener: Callable[[], Scorer],
    texts: Sequence[str],
    others: Sequence[Sequence[str]] = (),
    *,
    isolated: bool = True,
) -> Run:
    """Open a scorer and score; only ``texts`` are timed.

    Args:
        opener: makes the scorer; picklable if ``isolated``.
        isolated: in a new process, so that its memory can be told.

    Raises:
        ScorerError: the scorer cannot be opened, or not one score came for each text, or its process ended.
    """
    if not isolated:
        return timed_run(opener, texts, others, alone=False)
    with tempfile.TemporaryDirectory(prefix="scorer-") as folder:
        asked, answered = Path(folder) / "asked", Path(folder) / "answered"
        asked.write_bytes(pickle.dumps((opener, list(texts), [list(other) for other in others])))
        # Not multiprocessing: its children load what their parent's main module loads, and hold that too.
        ended = subprocess.run(
            [sys.executable, "-m", "safety_assets.benchmark.alone", asked, answered],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if not answered.is_file():
            raise ScorerError(
                f"The process of {opener} ended without an answer (exit code {ended.returncode}): it may have run out "
                "of memory. Give fewer texts, or leave the scorer out."
            )
        answer = pickle.loads(answered.read_bytes())
    if isinstance(answer, Exception):
        raise answer
    return answer


def timed_run(
    opener: Callable[[], Scorer], texts: Sequence[str], others: Sequence[Sequence[str]], *, alone: bool
) -> Run:
    """:func:`run_scorer` in this process. ``alone``: the process does nothing else, so that its memory tells."""
    started = time.perf_counter()
    scorer = opener()
    _score(scorer, texts[:WARM_UP])
    opened = time.perf_counter()
    scored = _score(scorer, texts)
    ended = time.perf_counter()
    cost = Cost(
        len(texts),
        ended - opened,
        opened - started,
        _peak_memory_mb() if alone else None,
        _device_memory_mb(),
    )
    answers = tuple(_score(scorer, other) for other in others)
    return Run(scorer.name, scorer.version, scored, answers, cost)


def _score(scorer: Scorer, texts: Sequence[str]) -> Scored:
    scored = scorer.score(texts)
    if not len(scored.levels) == len(scored.harm) == len(texts):
        raise ScorerError(f"{scorer.name} gave {len(scored.harm)} scores for {len(texts)} texts: mend it.")
    return scored


def _peak_memory_mb() -> float:
    """Of this process since it began. The kernel's own count per process would start with its parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def _device_memory_mb() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.max_memory_allocated() / 1024**2
