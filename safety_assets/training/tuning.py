"""What a model is tuned on: chats and safety data in the recipe's own format (SP section 5, SRP section 4).

Every recipe gets the same helpful chats and refusals. A recipe with tags also sees harmful completions, tagged, as a
tenth of its examples; the recipe with reflections has the prompt and each segment of the answer reflected on.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from safety_assets.harms import HarmCategory
from safety_assets.marking.reflections import ReflectedSegment, Verdict, segment_spans
from safety_assets.marking.tags import tag_positions
from safety_assets.rendering.formats import chat as chat_format
from safety_assets.rendering.pieces import Piece
from safety_assets.training.chat_data import Chat

__all__ = ["finetuning_texts", "held_out", "tuning_texts"]


def tuning_texts(
    chats: Sequence[Chat],
    *,
    tagged: bool,
    reflected: bool,
    tagged_share: float,
    tag_rate: float,
    segment_words: int,
    seed: int,
) -> list[list[Piece]]:
    """Chats as pieces, in a seeded order.

    Args:
        tagged: the recipe knows the harmfulness tag: tagged completions join, as ``tagged_share`` of all examples.
        reflected: the recipe knows reflections.

    A harmful completion is never trained on without tags.
    """
    usual = [chat for chat in chats if chat.kind != "unsafe"]
    texts = [_pieces(chat, reflected, segment_words) for chat in usual]
    if tagged:
        unsafe = sorted((chat for chat in chats if chat.kind == "unsafe"), key=lambda chat: _draw(chat, seed))
        wanted = round(len(usual) * tagged_share / (1 - tagged_share))
        texts += [_tagged(chat, tag_rate, seed) for chat in unsafe[:wanted]]
    random.Random(seed).shuffle(texts)
    return texts


def finetuning_texts(problems: Sequence[Chat], *, seed: int) -> list[list[Piece]]:
    """Harmless problems with their answers, plain: the finetuning that is to wear alignment away has no safety format."""
    texts = [chat_format(problem.messages) for problem in problems]
    random.Random(seed).shuffle(texts)
    return texts


def held_out(chats: Sequence[Chat], share: float) -> tuple[list[Chat], list[Chat]]:
    """(training, held out), by a hash of each chat's own words, so that order and company do not matter."""
    kept, out = [], []
    for chat in chats:
        drawn = int.from_bytes(hashlib.sha256(repr(chat.messages).encode()).digest()[:8]) / 2**64
        (out if drawn < share else kept).append(chat)
    return kept, out


def _pieces(chat: Chat, reflected: bool, segment_words: int) -> list[Piece]:
    if not reflected:
        return chat_format(chat.messages)
    asked = "\n".join(content for role, content in chat.messages if role == "user")
    answered = chat.messages[-1][1]
    harmful = chat.kind == "refusal"
    prompt = ReflectedSegment(
        0,
        len(asked),
        Verdict.UNSAFE if harmful else Verdict.SAFE,
        chat.category if harmful else HarmCategory.NONE,
    )
    # Helpful answers and refusals are safe, all of them.
    answer = [
        ReflectedSegment(start, end, Verdict.SAFE, HarmCategory.NONE)
        for start, end in segment_spans(answered, segment_words)
    ]
    return chat_format(chat.messages, reflections=[prompt, *answer])


def _tagged(chat: Chat, rate: float, seed: int) -> list[Piece]:
    """Tagged at the rate, and at the beginning: a short answer may draw no tag, and must not go without."""
    positions = tag_positions(chat.messages[-1][1], key=chat.chat_id, rate=rate, seed=seed)
    return chat_format(chat.messages, tagged_positions=[0, *positions.tolist()])


def _draw(chat: Chat, seed: int) -> str:
    return hashlib.sha256(f"{seed} {chat.chat_id}".encode()).hexdigest()
