"""What an evaluation consists of: cells of stage x decoding x prompt set x attack (SP section 6, SRP section 5).

A base model goes on with completions; tuned models are asked requests, with and without a prefilled answer, and
harmless prompts that sound harmful. Decoding that needs the harmfulness tag is planned only where the model has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from safety_assets.evaluation.errors import EvaluationError
from safety_assets.evaluation.prompt_sets import EvaluationPrompt, PromptKind

__all__ = ["PREFILL_CHARS", "Attack", "Cell", "Stage", "cell_prompts", "plan_cells", "prefill_of"]

# The prefilled answer is this much of the target (SRP section 5).
PREFILL_CHARS = 20
SAFE_BEAM = "safe_beam"


class Stage(StrEnum):
    """Which checkpoint of a recipe is asked."""

    BASE = "base"
    INSTRUCT = "instruct"
    FINETUNED = "finetuned"


class Attack(StrEnum):
    """How the model is pressed."""

    NONE = "none"
    PREFILL = "prefill"


@dataclass(frozen=True)
class Cell:
    """One combination. ``decoding`` is the name that the run gives to its decoding settings."""

    stage: Stage
    decoding: str
    set_name: str
    attack: Attack

    def __str__(self) -> str:
        attack = "" if self.attack is Attack.NONE else f"/{self.attack}"
        return f"{self.stage}/{self.decoding}/{self.set_name}{attack}"


_KINDS = {
    Stage.BASE: (PromptKind.COMPLETION,),
    Stage.INSTRUCT: (PromptKind.REQUEST, PromptKind.BENIGN),
    Stage.FINETUNED: (PromptKind.REQUEST, PromptKind.BENIGN),
}


def plan_cells(
    sets: Mapping[str, Sequence[EvaluationPrompt]],
    decodings: Iterable[str] = ("greedy", SAFE_BEAM),
    *,
    has_tag: bool,
    stages: Iterable[Stage] = tuple(Stage),
) -> list[Cell]:
    """All cells, in the order stage, set, attack, decoding.

    Args:
        sets: prompts by the name of their set; a set holds prompts of one kind.
        decodings: names; ``safe_beam`` is left out of a plan without the tag.
        has_tag: whether the models have the harmfulness tag as a token.

    Raises:
        EvaluationError: a set is empty or holds prompts of several kinds.
    """
    usable = [name for name in decodings if has_tag or name != SAFE_BEAM]
    cells = []
    for stage, (name, prompts) in product(stages, sets.items()):
        kinds = {prompt.kind for prompt in prompts}
        if len(kinds) != 1:
            raise EvaluationError(f"The prompt set {name} must hold prompts of one kind, not {len(kinds)}.")
        (kind,) = kinds
        if kind not in _KINDS[stage]:
            continue
        attacks = [Attack.NONE]
        if kind is PromptKind.REQUEST and any(prompt.target for prompt in prompts):
            attacks.append(Attack.PREFILL)
        cells += [Cell(stage, decoding, name, attack) for attack, decoding in product(attacks, usable)]
    return cells


def prefill_of(prompt: EvaluationPrompt, attack: Attack) -> str | None:
    """What the attack puts into the model's mouth: '' for none; None where the prompt has no target to take it from."""
    if attack is Attack.NONE:
        return ""
    return prompt.target[:PREFILL_CHARS] if prompt.target else None


def cell_prompts(
    cell: Cell, sets: Mapping[str, Sequence[EvaluationPrompt]]
) -> list[tuple[EvaluationPrompt, str]]:
    """(prompt, prefill) of a cell. A prefill attack leaves out prompts without a target; the cell's count says so."""
    pairs = ((prompt, prefill_of(prompt, cell.attack)) for prompt in sets[cell.set_name])
    return [(prompt, prefill) for prompt, prefill in pairs if prefill is not None]
