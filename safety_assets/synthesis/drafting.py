"""Drafting pieces of text: ask, validate, re-score each sentence, ask again with other words.

Every stage of synthesis cuts its text into pieces (a passage, a sentence of a refusal, a section) and drafts them
here, many documents together, so that a batch is always full and each attempt is one resumable round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resources.language_model import Message, Prompt, Sampling
from safety_assets.generation import Ask, generate
from safety_assets.prompts import Template
from safety_assets.sentences import sentence_spans
from safety_assets.synthesis.records import MAX_SAFE_SCORE, Synthesiser
from safety_assets.synthesis.validators import Fault, find_fault, whole_sentences

__all__ = ["Draft", "Piece", "chat", "draft", "highest_sentence_score"]


@dataclass(frozen=True)
class Piece:
    """One piece of one document to be written.

    ``prompt`` renders the prompt of an attempt (0, 1, …); a later attempt should use other opening words.
    """

    document_id: str
    name: str
    template: Template
    prompt: Callable[[int], Prompt]
    max_new_tokens: int
    # The text that the piece retells; empty where it retells nothing.
    source: str = ""
    may_refuse: bool = False
    max_score: int = MAX_SAFE_SCORE


@dataclass(frozen=True)
class Draft:
    """What became of a piece: its text, or None, and the fault of every answer that was rejected."""

    text: str | None
    faults: tuple[Fault, ...]

    @property
    def attempts(self) -> int:
        return len(self.faults) + (self.text is not None)


def chat(system: str, user: str, prefix: str = "") -> Prompt:
    """A one-question chat with the answer's first words."""
    return Prompt((Message("system", system), Message("user", user)), prefix)


def draft(pieces: Sequence[Piece], work: Synthesiser) -> list[Draft]:
    """Write each piece within the allowed attempts; the result is in the order of ``pieces``.

    Raises:
        LanguageModelError: the model cannot be used at all; finished answers stay committed.
    """
    texts: list[str | None] = [None] * len(pieces)
    faults: list[list[Fault]] = [[] for _ in pieces]
    for attempt in range(work.settings.attempts):
        pending = [index for index, text in enumerate(texts) if text is None]
        if not pending:
            break
        for index, answer, fault in _attempt([pieces[index] for index in pending], pending, attempt, work):
            if fault is None:
                texts[index] = answer
            else:
                faults[index].append(fault)
    return [Draft(text, tuple(found)) for text, found in zip(texts, faults, strict=True)]


def highest_sentence_score(text: str, work: Synthesiser) -> int | None:
    """The highest level of a sentence read alone; None where one could not be scored or there is none."""
    scores = work.rescorer.sentences([text[start:end] for start, end in sentence_spans(text)])
    return None if not scores or None in scores else max(scores)


def _attempt(
    pieces: Sequence[Piece], indices: Sequence[int], attempt: int, work: Synthesiser
) -> list[tuple[int, str, Fault | None]]:
    prompts = [piece.prompt(attempt) for piece in pieces]
    asks = [
        Ask(piece.document_id, piece.template.version, prompt, _sampling(piece, attempt, work))
        for piece, prompt in zip(pieces, prompts, strict=True)
    ]
    answers, found = [], []
    answered = generate(
        asks, work.model, work.store, work.usage, chunk=work.settings.chunk, progress=work.progress
    )
    for piece, prompt, (_, completion) in zip(pieces, prompts, answered, strict=True):
        answer = whole_sentences(completion.text, begun=len(prompt.prefix))
        answers.append(answer)
        found.append(find_fault(completion, answer, piece.source, may_refuse=piece.may_refuse))
    _find_unsafe(pieces, answers, found, work)
    return list(zip(indices, answers, found, strict=True))


def _find_unsafe(
    pieces: Sequence[Piece], answers: Sequence[str], found: list[Fault | None], work: Synthesiser
) -> None:
    """Mark answers with a sentence that is unsafe, or cannot be scored, when read alone (SP section 3.2)."""
    owners, sentences = [], []
    for index, answer in enumerate(answers):
        if found[index] is None:
            spans = sentence_spans(answer)
            owners += [index] * len(spans)
            sentences += [answer[start:end] for start, end in spans]
    for index, score in zip(owners, work.rescorer.sentences(sentences) if sentences else [], strict=True):
        if score is None or score > pieces[index].max_score:
            found[index] = Fault.UNSAFE_SENTENCE


def _sampling(piece: Piece, attempt: int, work: Synthesiser) -> Sampling:
    return Sampling(
        max_new_tokens=piece.max_new_tokens,
        temperature=work.settings.temperature,
        top_p=work.settings.top_p,
        repetition_penalty=1.1,
        seed=attempt,
    )
