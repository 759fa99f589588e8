"""The one way to decode: prompts as token ids in, answers out, in order.

Importing this module imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from safety_assets.decoding.beams import beam_search
from safety_assets.decoding.causal_model import CausalModel
from safety_assets.decoding.safe_beam import safe_beam_search
from safety_assets.decoding.sampling import decode_together
from safety_assets.decoding.settings import Decoded, Decoding, DecodingError, Strategy

__all__ = ["decode"]


@torch.inference_mode()
def decode(model: CausalModel, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[Decoded]:
    """Answers to prompts. A prompt may end in a begun answer: decoding goes on from it.

    An answer does not depend on the other prompts, save for the rounding of the number format.

    Raises:
        DecodingError: an empty prompt, one with an unknown id or that leaves no room for an answer, Safe Beam Search with
            a model that has no harmfulness tag, or a model that gives no numbers.
    """
    plain = [tuple(int(token) for token in prompt) for prompt in prompts]
    for number, prompt in enumerate(plain):
        _require_fit(number, prompt, model, decoding)
    if decoding.strategy is Strategy.BEAM:
        return [beam_search(model, prompt, decoding) for prompt in plain]
    if decoding.strategy is Strategy.SAFE_BEAM:
        return [safe_beam_search(model, prompt, decoding) for prompt in plain]
    # Prompts of like length together: little padding.
    order = sorted(range(len(plain)), key=lambda index: len(plain[index]))
    answers: dict[int, Decoded] = {}
    for first in range(0, len(order), decoding.batch):
        chosen = order[first : first + decoding.batch]
        answers |= zip(chosen, decode_together(model, [plain[i] for i in chosen], decoding), strict=True)
    return [answers[index] for index in range(len(plain))]


def _require_fit(number: int, prompt: tuple[int, ...], model: CausalModel, decoding: Decoding) -> None:
    if not prompt or len(prompt) + decoding.max_new_tokens > model.context:
        raise DecodingError(
            f"Prompt {number} has {len(prompt)} tokens, and with {decoding.max_new_tokens} new ones it must have "
            f"1 to {model.context}: shorten it, or lower max_new_tokens."
        )
    if min(prompt) < 0 or max(prompt) >= model.vocabulary:
        raise DecodingError(
            f"Prompt {number} has ids that the model does not know, and it knows 0 to {model.vocabulary - 1}: encode "
            "prompts with the model's own tokenizer."
        )
