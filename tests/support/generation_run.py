"""A run of its own process over a lake: asks a server about numbered documents. Killed and started again by a
test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from resources.lake import Lake, LakeSettings, Provenance
from resources.language_model import Message, Prompt, Sampling
from resources.openai_model import OpenAIModel
from resources.openai_transport import OpenAITransport
from safety_assets.answers import LakeAnswers
from safety_assets.generation import Ask, Usage, generate

PARTITION = "shard-0"


def asks(count: int, *, template: str = "t@1") -> Iterator[Ask]:
    """One question for each of ``count`` documents."""
    for number in range(count):
        prompt = Prompt((Message("user", f"question {number}"),))
        yield Ask(f"document-{number}", template, prompt, Sampling(max_new_tokens=8))


def open_lake(folder: str) -> Lake:
    return Lake(LakeSettings(f"sqlite:{folder}/catalog.sqlite", f"{folder}/data"))


def dummy_model(url: str, **settings) -> OpenAIModel:
    """A client of the dummy server that gives up soon."""
    transport = OpenAITransport(url, api_key_env=None, timeout_s=5, retries=1, backoff_s=0.01)
    return OpenAIModel("dummy", transport, **settings)


def main(folder: str, url: str, count: str, chunk: str) -> None:
    """Prints each document as its answer is yielded, after its commit."""
    lake = open_lake(folder)
    store = LakeAnswers(lake, Provenance("test", PARTITION, "run"))
    for ask, _ in generate(asks(int(count)), dummy_model(url), store, Usage(), chunk=int(chunk)):
        print(ask.document_id, flush=True)
    lake.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
