"""Small prompts, answers and stores for tests of evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safety_assets.evaluation.answers import Answer, AnswerRequest
from safety_assets.evaluation.plan import Attack, Cell, Stage
from safety_assets.evaluation.prompt_sets import EvaluationPrompt, PromptKind

CELL = Cell(Stage.INSTRUCT, "greedy", "tiny", Attack.NONE)


def prompt(ident: str = "p1", text: str = "Say something rude.", target: str | None = None, **other):
    named = {"set_name": "tiny", "kind": PromptKind.REQUEST, "category": "", **other}
    return EvaluationPrompt(prompt_id=ident, text=text, target=target, **named)


def request(ident: str = "p1", cell: Cell = CELL, prefill: str = "", **other) -> AnswerRequest:
    asked = prompt(ident, **other)
    return AnswerRequest(cell, asked, prefill, tuple((asked.text + prefill).encode()))


def answer(text: str, key: str = "k1", cell: Cell = CELL, **other) -> Answer:
    values = {
        "request_key": key,
        "checkpoint_digest": "model-1",
        "stage": cell.stage,
        "decoding": cell.decoding,
        "decoding_settings": "{}",
        "attack": cell.attack,
        "set_name": cell.set_name,
        "prompt_id": key,
        "prompt_hash": "0",
        "prefill": "",
        "text": text,
        "finish": "stop",
        "prompt_tokens": 3,
        "answer_tokens": len(text.split()),
    }
    return Answer(**{**values, **other})


class MemoryStore:
    """Answers in memory; counts commits."""

    def __init__(self) -> None:
        self.kept: dict[str, Answer] = {}
        self.commits = 0

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def commit(self, answers: Sequence[Answer]) -> None:
        self.commits += 1
        self.kept.update({found.request_key: found for found in answers})
