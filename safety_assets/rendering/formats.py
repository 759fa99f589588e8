"""What each kind of training text is made of: where control tokens stand, and what carries loss.

Pretraining texts carry loss throughout; chats only where the assistant speaks. Tags and reflections carry loss: a
model is to predict them.
"""

from __future__ import annotations

from collections.abc import Sequence

from safety_assets.marking.reflections import ReflectedSegment, Verdict, reflection
from safety_assets.marking.tags import split_at
from safety_assets.rendering.pieces import Control, Piece
from safety_assets.rendering.speakers import speakers_of

__all__ = ["chat", "chat_prompt", "completion_prompt", "dialogue", "plain", "reflected", "tagged"]

Message = tuple[str, str]
ASSISTANT = "assistant"
# Between the turns of a dialogue in web-style text.
TURN_BREAK = "\n\n"


def plain(text: str) -> list[Piece]:
    """A document as it is, and the end of text."""
    return [Piece(text, char_start=0), Piece(Control.END_OF_TEXT)]


def tagged(text: str, positions: Sequence[int]) -> list[Piece]:
    """A document with the harmfulness tag at ``positions`` (SP section 4)."""
    return [*_with_tags(text, positions), Piece(Control.END_OF_TEXT)]


def reflected(text: str, segments: Sequence[ReflectedSegment]) -> list[Piece]:
    """A document with a reflection after each segment (SRP section 4).

    After an unsafe segment the text ends; then the document goes on, so that nothing of it is lost.

    Raises:
        ValueError: segments that do not cover the text.
    """
    _require_cover(text, segments)
    if not segments:
        return plain(text)
    pieces = _with_reflections(text, segments, Control.END_OF_TEXT)
    return pieces if pieces[-1].content is Control.END_OF_TEXT else [*pieces, Piece(Control.END_OF_TEXT)]


def dialogue(turns: Sequence[Message], *, key: str, seed: int = 0) -> list[Piece]:
    """A RefuseWeb dialogue as web-style text; names or occupations stand for the roles (SP section 3.3).

    Character offsets count over the turns' contents, each with one character before it: the space after its name.
    """
    names = speakers_of([role for role, _ in turns], key=key, seed=seed)
    pieces, start = [], 0
    for number, ((_, content), name) in enumerate(zip(turns, names, strict=True)):
        pieces.append(Piece(f"{TURN_BREAK if number else ''}{name}:"))
        # With its space, so that the first word has the tokens it usually has.
        pieces.append(Piece(f" {content}", char_start=start))
        start += len(content) + 1
    return [*pieces, Piece(Control.END_OF_TEXT)]


def chat(
    messages: Sequence[Message],
    *,
    tagged_positions: Sequence[int] | None = None,
    reflections: Sequence[ReflectedSegment] | None = None,
) -> list[Piece]:
    """A chat to tune on, in ChatML; only what the assistant says and the end of its turn carry loss.

    Args:
        tagged_positions: of the tag in the last answer, for a harmful completion.
        reflections: the first judges the prompt, the others the segments of the last answer, which they cover. An
            unsafe segment ends the answer.

    Raises:
        ValueError: marks where the last message is not an answer, both kinds of marks, or segments that do not cover
            the answer.
    """
    _require_answer(messages, tagged_positions, reflections)
    pieces: list[Piece] = []
    last = len(messages) - 1
    for index, (role, content) in enumerate(messages):
        speaks = role == ASSISTANT
        pieces += _turn_opening(role, first=index == 0)
        if index == last and reflections is not None:
            pieces += _reflected_answer(content, reflections)
            continue
        # Earlier answers of a chat that is reflected on have no reflections: nothing is learned from them.
        learned = speaks and (reflections is None or index == last)
        positions = tagged_positions if index == last and tagged_positions is not None else ()
        pieces += [Piece(piece.content, loss=learned) for piece in _with_tags(content, positions)]
        pieces.append(Piece(Control.TURN_END, loss=learned))
    return pieces


def chat_prompt(messages: Sequence[Message], *, prefill: str = "") -> list[Piece]:
    """The same chat up to where the assistant goes on, a begun answer included. Nothing carries loss."""
    pieces: list[Piece] = []
    for index, (role, content) in enumerate(messages):
        pieces += [*_turn_opening(role, first=index == 0), Piece(content, loss=False)]
        pieces.append(Piece(Control.TURN_END, loss=False))
    pieces += _turn_opening(ASSISTANT, first=not messages)
    return [*pieces, Piece(prefill, loss=False)] if prefill else pieces


def completion_prompt(text: str) -> list[Piece]:
    """The beginning of a text for a base model to go on with."""
    return [Piece(text, loss=False, char_start=0)]


def _with_tags(text: str, positions: Sequence[int]) -> list[Piece]:
    pieces, start = [], 0
    for number, part in enumerate(split_at(text, positions)):
        if number:
            pieces.append(Piece(Control.TAG))
        if part:
            pieces.append(Piece(part, char_start=start))
        start += len(part)
    return pieces


def _with_reflections(text: str, segments: Sequence[ReflectedSegment], end: Control) -> list[Piece]:
    """Each segment and its reflection. The white space between two segments comes after the first one's reflection,
    so that the next word has the tokens it usually has."""
    pieces, start = [], 0
    for segment in segments:
        stop = segment.char_start + len(text[segment.char_start : segment.char_end].rstrip())
        if segment is segments[-1]:
            stop = len(text)
        if start < stop:
            pieces.append(Piece(text[start:stop], char_start=start))
        pieces.append(Piece(f" {reflection(segment.verdict, segment.category)}"))
        if segment.verdict is Verdict.UNSAFE:
            pieces.append(Piece(end))
        start = stop
    return pieces


def _reflected_answer(content: str, reflections: Sequence[ReflectedSegment]) -> list[Piece]:
    prompt, *segments = reflections
    _require_cover(content, segments)
    unsafe = [number for number, segment in enumerate(segments) if segment.verdict is Verdict.UNSAFE]
    said = segments[: unsafe[0] + 1] if unsafe else segments
    text = content[: said[-1].char_end].rstrip() if said else ""
    pieces = [
        Piece(f"{reflection(prompt.verdict, prompt.category)}\n"),
        *_with_reflections(text, said, Control.TURN_END),
    ]
    return [Piece(piece.content) for piece in pieces] + ([] if unsafe else [Piece(Control.TURN_END)])


def _turn_opening(role: str, *, first: bool) -> list[Piece]:
    opening = [] if first else [Piece("\n", loss=False)]
    return [*opening, Piece(Control.TURN_START, loss=False), Piece(f"{role}\n", loss=False)]


def _require_cover(text: str, segments: Sequence[ReflectedSegment]) -> None:
    if not segments and not text.strip():
        return
    starts = [0, *(segment.char_end for segment in segments)]
    if [segment.char_start for segment in segments] != starts[:-1] or starts[-1] != len(text):
        raise ValueError(
            f"{len(segments)} segments do not cover a text of {len(text)} characters: label it again."
        )


def _require_answer(
    messages: Sequence[Message],
    positions: Sequence[int] | None,
    reflections: Sequence[ReflectedSegment] | None,
) -> None:
    if positions is None and reflections is None:
        return
    if positions is not None and reflections is not None:
        raise ValueError("A chat is tagged or reflected on, not both: give one of them.")
    if not messages or messages[-1][0] != ASSISTANT:
        raise ValueError("Only an answer is marked, and the last message is none: end the chat with one.")
    if reflections is not None and not reflections:
        raise ValueError("The first reflection judges the prompt, and there is none: give it.")
