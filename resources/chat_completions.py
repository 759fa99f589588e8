"""The chat-completions interface in our own records: prompts to request bodies, answers to completions.

No network here; ``openai_model.py`` sends what these functions build and reads what comes back through them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.language_model import Completion, FinishReason, GenerationRequest, Prompt, Sampling

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

__all__ = ["ChatDialect", "read_listed_tokens"]

# The most that OpenAI's interface gives.
TOP_LOGPROBS = 20


@dataclass(frozen=True)
class ChatDialect:
    """How to speak to one served model.

    ``continues``: the server goes on with a begun answer (vLLM). Otherwise the beginning is asked for in
    words, and put before an answer that lacks it.
    """

    model: str
    continues: bool = True

    def completion_body(self, request: GenerationRequest) -> dict[str, Any]:
        """Arguments of ``chat.completions.create``.

        With a JSON schema, which settles how the answer begins, the prompt's prefix is left out.
        """
        sampling = request.sampling
        body = self._chat(request.prompt, _sent_prefix(request.prompt, sampling))
        body |= {
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.json_schema:
            schema = {"name": "answer", "schema": json.loads(sampling.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if sampling.repetition_penalty != 1.0:
            body["extra_body"]["repetition_penalty"] = sampling.repetition_penalty
        return body

    def next_token_body(self, prompt: Prompt) -> dict[str, Any]:
        """Arguments that ask for the likeliest next tokens.

        A server that continues nothing gets no prefix: the model would only repeat it.
        """
        body = self._chat(prompt, prompt.prefix if self.continues else "")
        return body | {"max_tokens": 1, "temperature": 0.0, "logprobs": True, "top_logprobs": TOP_LOGPROBS}

    def read(self, request: GenerationRequest, answer: ChatCompletion) -> Completion:
        """``length`` is LENGTH, all else STOP.

        What a content filter stopped is a refusal: an empty text. A refusal in a field of its own is the
        text, and gets no prefix that would hide it.
        """
        choice = answer.choices[0]
        message, error = choice.message, None
        if choice.finish_reason == "content_filter":
            text, error = "", "stopped by the server's content filter"
        elif message.refusal and not message.content:
            text = message.refusal
        else:
            prefix = _sent_prefix(request.prompt, request.sampling)
            text = message.content or ""
            text = prefix + text if self.continues else _with_prefix(prefix, text)
        return Completion(
            request_id=request.request_id,
            text=text,
            finish_reason=FinishReason.LENGTH if choice.finish_reason == "length" else FinishReason.STOP,
            prompt_tokens=answer.usage.prompt_tokens if answer.usage else 0,
            completion_tokens=answer.usage.completion_tokens if answer.usage else 0,
            error=error,
        )

    def _chat(self, prompt: Prompt, prefix: str) -> dict[str, Any]:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        extra: dict[str, Any] = {}
        if prefix and self.continues:
            messages.append({"role": "assistant", "content": prefix})
            extra = {"continue_final_message": True, "add_generation_prompt": False}
        elif prefix:
            last_question = [message for message in messages if message["role"] == "user"][-1:]
            for message in last_question:
                message["content"] += f"\n\nBegin your answer with: {prefix}"
        return {"model": self.model, "messages": messages, "extra_body": extra}


def read_listed_tokens(answer: ChatCompletion) -> dict[str, float] | None:
    """Log-probability of the listed next tokens, by their text; None where the server gives none at all."""
    logprobs = answer.choices[0].logprobs
    if logprobs is None:
        return None
    listed: dict[str, float] = {}
    for token in logprobs.content[0].top_logprobs if logprobs.content else ():
        listed[token.token] = max(token.logprob, listed.get(token.token, -math.inf))
    return listed


def _sent_prefix(prompt: Prompt, sampling: Sampling) -> str:
    return "" if sampling.json_schema else prompt.prefix


def _with_prefix(prefix: str, answer: str) -> str:
    """An answer that begins with the prefix, whether or not the model began it so."""
    begun = answer.strip()
    rest = begun.removeprefix(prefix.strip())
    if not prefix or prefix[-1].isspace():
        return prefix + rest.lstrip()
    return prefix + rest if rest != begun or not rest else f"{prefix} {rest}"
