"""Loading the definitions: seconds, and whether a model library came along."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["loading"]

CODE = """
import sys, time
started = time.perf_counter()
import dagster as dg
from safety_assets.definitions import project_definitions
dg.Definitions.validate_loadable(project_definitions().definitions)
print(time.perf_counter() - started, int("torch" in sys.modules))
"""
TRIES = 3


def loading() -> dict[str, float]:
    """``seconds`` of the best of three fresh processes, and ``imports_torch`` as 0 or 1."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(TRIES)
    ]
    return {
        "seconds": min(float(run[0]) for run in runs),
        "imports_torch": max(float(run[1]) for run in runs),
    }
