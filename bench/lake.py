"""How the lake does with many writers and with many rows: ``python -m bench.lake`` prints a small table.

Each figure comes from fresh processes and a lake in a temporary folder.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from resources.lake import Lake, LakeSettings
from tests.support.lake_writer import MARK, ROOT, TABLE, Plan, batches, by, start

__all__ = ["four_writers", "memory_growth"]

PROCESSES, WRITES, ROWS = 4, 20, 2_000
# Each writer turns over its own partitions, so that all but the first writes replace rows.
PARTITIONS = 4
SMALL_ROWS, LARGE_ROWS, TEXT_CHARS = 20_000, 200_000, 2_000


def four_writers(settings: LakeSettings | None = None, writes: int = WRITES) -> dict[str, Any]:
    """Four processes, each with 20 writes of 2,000 rows, into one lake.

    Args:
        settings: an empty lake; None makes one in a temporary folder.
        writes: of each process.

    Returns:
        ``seconds`` from first start to last end (Python's own start included), ``writes`` found in the
        ledger, and how many of the partitions' rows are ``lost`` or ``doubled``.
    """
    with tempfile.TemporaryDirectory(prefix="bench-lake-") as folder:
        settings = settings or _settings(folder)
        lake = Lake(settings)
        began = time.perf_counter()
        plans = [
            Plan(f"w{number}", [f"p{number}-{part}" for part in range(PARTITIONS)], ROWS, writes)
            for number in range(PROCESSES)
        ]
        writers = [start(settings, plan) for plan in plans]
        output = [writer.communicate()[0] for writer in writers]
        seconds = time.perf_counter() - began
        failed = [writer.returncode for writer in writers if writer.returncode]
        last = {}
        for line in "".join(output).splitlines():
            commit = json.loads(line)
            last[commit["partition"]] = commit
        lost = doubled = wrong_versions = 0
        for partition, commit in last.items():
            with lake.read(TABLE, partition=partition, columns=[MARK]) as reader:
                marks = reader.read_all().column(MARK).to_pylist()
            own = marks.count(commit["mark"])
            lost += max(0, ROWS - own)
            doubled += max(0, own - ROWS) + len(marks) - own
            wrong_versions += lake.version(TABLE, partition).snapshot_id != commit["snapshot"]
        with lake.read("commits") as reader:
            ledger = reader.read_all().num_rows
        lake.close()
    return {
        "seconds": round(seconds, 2),
        "writes": ledger,
        "lost": lost,
        "doubled": doubled,
        "wrong_versions": wrong_versions,
        "failed_processes": len(failed),
    }


def memory_growth() -> dict[str, Any]:
    """Peak memory of writing and reading one partition, for ten times the rows; 2 kB of text each.

    Returns:
        ``small_mib`` and ``large_mib``, the peak resident memory of each process, and their ``ratio``.
    """
    small, large = (_peak_mib(rows) for rows in (SMALL_ROWS, LARGE_ROWS))
    return {
        "small_rows": SMALL_ROWS,
        "large_rows": LARGE_ROWS,
        "small_mib": round(small),
        "large_mib": round(large),
        "ratio": round(large / small, 2),
    }


def write_and_read(rows: int) -> float:
    """Write and read rows in this process; returns its peak resident memory in MiB."""
    with tempfile.TemporaryDirectory(prefix="bench-lake-") as folder:
        lake = Lake(_settings(folder))
        made = batches(lake.schema("fineweb"), "p", rows, text_chars=TEXT_CHARS)
        lake.replace_partition("fineweb", made, by("p"))
        with lake.read("fineweb", partition="p") as reader:
            found = sum(batch.num_rows for batch in reader)
        lake.close()
    if found != rows:
        raise AssertionError(f"{found} of {rows} rows came back")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _peak_mib(rows: int) -> float:
    command = [sys.executable, "-m", "bench.lake", "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"The benchmark of {rows} rows failed: {done.stderr.strip()[-500:]}")
    return float(done.stdout)


def _settings(folder: str) -> LakeSettings:
    return LakeSettings(f"sqlite:{Path(folder) / 'catalog.sqlite'}", str(Path(folder) / "data"))


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--rows"]:
        print(write_and_read(int(arguments[1])))
        return
    for name, figures in (("four writers", four_writers()), ("memory growth", memory_growth())):
        print(name)
        for figure, value in figures.items():
            print(f"  {figure:<18}{value:>12,}")


if __name__ == "__main__":
    main(sys.argv[1:])
