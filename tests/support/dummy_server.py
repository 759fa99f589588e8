"""An OpenAI-compatible server on 127.0.0.1 that answers at once and misbehaves on command.

A prompt that holds ``<<do:NAME>>`` or ``<<do:NAME:ARGUMENT>>`` is treated so; all others get a fixed text
that depends on the prompt alone. The server counts what it is asked. Also stands in for ``vllm serve`` when
run as a program.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

__all__ = ["DummyServer", "answer_to", "dummy_server"]

MODEL = "dummy"
REFUSAL = "I'm sorry, but I can't help with that."
CONTEXT_TOKENS = 4096


def answer_to(question: str) -> str:
    """What the server answers to a last user message, where it is not told otherwise."""
    return "answer " + hashlib.sha256(question.encode()).hexdigest()[:8]


class DummyServer:
    """The application and its counts.

    ``words`` are its answer to everything, if set. ``asked`` counts requests by their last user message;
    ``most_at_once`` is the most that were under way together.
    """

    def __init__(
        self, *, model: str = MODEL, delay_s: float = 0.0, like_vllm: bool = True, key: str | None = None
    ) -> None:
        self.model = model
        self.delay_s = delay_s
        self.key = key
        self.words: str | None = None
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict] = []
        self.most_at_once = 0
        self._under_way = 0
        routes = [
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/health", lambda request: Response()),
        ]
        if like_vllm:
            routes.append(Route("/tokenize", self._tokenize, methods=["POST"]))
        self.like_vllm = like_vllm
        self.application = Starlette(routes=routes)

    async def _models(self, request: Request) -> Response:
        told = {"root": "/models/snapshots/c0ffee", "max_model_len": CONTEXT_TOKENS} if self.like_vllm else {}
        entry = {"id": self.model, "object": "model", "created": 0, "owned_by": "test", **told}
        return JSONResponse({"object": "list", "data": [entry]})

    async def _tokenize(self, request: Request) -> Response:
        words = (await request.json())["prompt"].split()
        return JSONResponse(
            {"count": len(words), "max_model_len": CONTEXT_TOKENS, "tokens": [0] * len(words)}
        )

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        question = [message["content"] for message in body["messages"] if message["role"] == "user"][-1]
        self.bodies.append(body)
        self.asked[question] += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            await asyncio.sleep(self.delay_s)
            if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
                return _error(401, question)
            return await self._behave(question, body)
        finally:
            self._under_way -= 1

    async def _behave(self, question: str, body: dict) -> Response:
        command = re.search(r"<<do:(\w+)(?::([\w.]+))?>>", question)
        name, argument = (command[1], command[2]) if command else ("answer", None)
        times = int(argument) if argument and argument.isdigit() else 10**9
        if name.isdigit():  # an HTTP status, for the first so many attempts
            return (
                _error(int(name), question)
                if self.asked[question] <= times
                else self._completion(body, question)
            )
        if name == "drop":
            return (
                StreamingResponse(_broken_off())
                if self.asked[question] <= times
                else self._completion(body, question)
            )
        if name == "stall":
            await asyncio.sleep(float(argument or 3600))
        elif name == "broken":
            return Response("{not JSON", media_type="application/json")
        elif name == "empty":
            return JSONResponse({"id": "x", "object": "chat.completion", "choices": []})
        elif name == "hollow":
            return JSONResponse({"id": "x", "object": "chat.completion", "choices": [{}]})
        elif name == "too_long":
            return _error(400, question, param="input_tokens")
        elif name == "truncate":
            return self._completion(body, question, finish_reason="length")
        elif name == "refuse":
            return self._completion(body, question, text=None, refusal=REFUSAL)
        elif name == "filter":
            return self._completion(body, question, text="half an ans", finish_reason="content_filter")
        return self._completion(body, question)

    def _completion(
        self,
        body: dict,
        question: str,
        *,
        text: str | None = "",
        refusal: str | None = None,
        finish_reason: str = "stop",
    ) -> Response:
        content = (self.words or answer_to(question)) if text == "" else text
        choice: dict = {
            "index": 0,
            "finish_reason": finish_reason,
            "message": {"role": "assistant", "content": content, "refusal": refusal},
        }
        if body.get("logprobs"):
            listed = [{"token": str(digit), "logprob": -1.0 - digit, "bytes": None} for digit in range(4)]
            if "unlisted" in question:
                listed = [{"token": "x", "logprob": -1.0, "bytes": None}]
            choice["logprobs"] = {"content": [listed[0] | {"top_logprobs": listed}]}
        usage = {"prompt_tokens": len(question.split()), "completion_tokens": 2, "total_tokens": 0}
        return JSONResponse(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": self.model,
                "choices": [choice],
                "usage": usage,
            }
        )


def _error(status: int, question: str, param: str | None = None) -> Response:
    # Like real servers, it quotes the prompt in its message.
    error = {"message": f"cannot answer: {question}", "type": "error", "param": param, "code": status}
    return JSONResponse(
        {"error": error}, status_code=status, headers={"Retry-After": "0"} if status == 429 else {}
    )


async def _broken_off():
    yield b'{"id": "x", '
    raise ConnectionAbortedError


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        return


@contextmanager
def dummy_server(**settings):
    """A running server and its address up to ``/v1``; stopping it inside the block is ``server.stop()``."""
    server = DummyServer(**settings)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        server.application, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    running = _Quiet(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()

    def stop() -> None:
        running.should_exit = running.force_exit = True
        thread.join(timeout=10)
        listening.close()

    server.stop = stop
    server.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    try:
        yield server
    finally:
        stop()


def main(arguments: list[str]) -> None:
    """Takes the arguments of ``vllm serve`` that matter here."""
    options = dict(pairwise(arguments))
    print("dummy vLLM", *arguments, flush=True)
    server = DummyServer(model=options["--served-model-name"])
    uvicorn.run(server.application, host=options["--host"], port=int(options["--port"]), log_level="critical")


if __name__ == "__main__":
    main(sys.argv[1:])
