"""A killed run goes on where it was: nothing finished is asked again, nothing is lost, nothing is there
twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from resources.profile import PACKAGED
from tests.support.dummy_server import answer_to, dummy_server
from tests.support.generation_run import asks, open_lake

COUNT, CHUNK = 60, 6


def start(folder, url) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.support.generation_run", str(folder), url, str(COUNT), str(CHUNK)]
    return subprocess.Popen(command, cwd=PACKAGED.parent.parent, stdout=subprocess.PIPE, text=True)


def committed(folder) -> dict[str, str]:
    lake = open_lake(str(folder))
    with lake.read("generations") as reader:
        rows = reader.read_all().to_pylist()
    lake.close()
    assert len({row["request_key"] for row in rows}) == len(rows)
    return {row["document_id"]: row["text"] for row in rows}


def test_a_run_killed_twice_asks_only_for_what_is_missing(tmp_path):
    with dummy_server(delay_s=0.05) as server:
        for _ in range(2):
            run = start(tmp_path, server.url)
            for _ in range(CHUNK * 2 + 2):  # at least two chunks are committed, another is under way
                run.stdout.readline()
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        kept = committed(tmp_path)
        assert CHUNK * 2 <= len(kept) < COUNT
        assert len(kept) % CHUNK == 0
        asked_before = server.asked.copy()

        run = start(tmp_path, server.url)
        printed, _ = run.communicate(timeout=120)
        assert run.returncode == 0

    assert printed.split() == [ask.document_id for ask in asks(COUNT)]
    expected = {ask.document_id: answer_to(ask.prompt.messages[0].content) for ask in asks(COUNT)}
    assert committed(tmp_path) == expected
    again = server.asked - asked_before
    assert sum(again.values()) == COUNT - len(kept)
    assert set(again) == {f"question {number}" for number in range(COUNT) if f"document-{number}" not in kept}
    # What was under way at a kill was lost; never more than a chunk for each.
    assert sum(server.asked.values()) <= COUNT + 2 * CHUNK
