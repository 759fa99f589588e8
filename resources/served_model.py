"""What a server tells of a model that it serves, beside the model's answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from resources.errors import LanguageModelError
from resources.openai_transport import CallFailed, OpenAITransport

__all__ = ["ServedModel", "count_tokens", "look_up"]


@dataclass(frozen=True)
class ServedModel:
    """``weights`` names what is served where that is not the model's own name; ``context_tokens`` where it is
    told.
    """

    weights: str | None = None
    context_tokens: int | None = None


async def look_up(transport: OpenAITransport, model: str) -> ServedModel:
    """Ask ``/v1/models``. A server without a list of models is taken at its word.

    Raises:
        LanguageModelError: nobody answers, or the model is not served.
    """
    try:
        listed = await transport.call(lambda client: client.models.list(), retries=1)
    except CallFailed as failure:
        if failure.status in (404, 405):
            return ServedModel()
        raise transport.unreachable() from None
    served = {entry.id: entry for entry in listed.data}
    if model not in served:
        raise LanguageModelError(
            f"The server at {transport.shown_url} serves {', '.join(sorted(served)[:5])}, not {model}: "
            "correct the model's name in the profile."
        )
    extra = served[model].model_extra or {}
    # vLLM's root is a Hub id or a folder; the last part of a Hub cache's folder is the commit.
    root = PurePosixPath(extra.get("root") or "").name
    weights = root if root and root != PurePosixPath(model).name else None
    return ServedModel(weights, extra.get("max_model_len"))


async def count_tokens(transport: OpenAITransport, model: str, text: str) -> int:
    """Tokens of a text by ``/tokenize``, which vLLM has beside ``/v1``.

    Raises:
        LanguageModelError: the server cannot count.
    """
    body = {"model": model, "prompt": text, "add_special_tokens": False}
    url = f"{transport.root_url}/tokenize"
    try:
        answer = await transport.call(lambda client: client.post(url, body=body, cast_to=dict[str, Any]))
        return int(answer["count"])
    except (CallFailed, KeyError, TypeError, ValueError) as failure:
        raise LanguageModelError(
            f"The server at {transport.shown_url} could not count tokens ({failure}): see its log."
        ) from None
