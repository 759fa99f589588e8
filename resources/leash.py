"""Runs a command that must not outlive whoever started it: ``python -m resources.leash COMMAND …``.

The starter holds the other end of standard input. When that end closes, by intention or because the starter
died in whatever way, the command's whole process group is ended. A killed run so leaves no server behind on a
GPU.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

__all__ = ["GRACE_SECONDS", "main"]

# Between asking the command to end and ending it.
GRACE_SECONDS = 8.0


def main(command: list[str]) -> int:
    """Run the command until it ends or standard input closes; returns its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    ended = threading.Event()

    def end() -> None:
        # Not sys.stdin: its lock, held by a thread that still reads, is fatal when the interpreter ends.
        while os.read(0, 1024):
            pass
        child.terminate()
        if not ended.wait(GRACE_SECONDS):
            _signal_group(child.pid, signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()
    # A Ctrl-C in the terminal reaches every process there; the starter decides what becomes of the command.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = child.wait()
    ended.set()
    _signal_group(child.pid, signal.SIGKILL)  # workers that the command left behind
    return status


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
