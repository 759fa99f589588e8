"""Cells of an evaluation, and what a prefill attack puts before the answer."""

from __future__ import annotations

import pytest

from safety_assets.evaluation.errors import EvaluationError
from safety_assets.evaluation.plan import Attack, Cell, Stage, cell_prompts, plan_cells, prefill_of
from safety_assets.evaluation.prompt_sets import PromptKind
from tests.evaluation.examples import prompt

SETS = {
    "endings": [prompt(kind=PromptKind.COMPLETION)],
    "asks": [prompt("a", target="Sure, here is what you asked for"), prompt("b")],
    "kind": [prompt(kind=PromptKind.BENIGN)],
}


def test_base_models_complete_and_tuned_models_are_asked():
    cells = plan_cells(SETS, ["greedy"], has_tag=True)
    assert [str(cell) for cell in cells] == [
        "base/greedy/endings",
        "instruct/greedy/asks",
        "instruct/greedy/asks/prefill",
        "instruct/greedy/kind",
        "finetuned/greedy/asks",
        "finetuned/greedy/asks/prefill",
        "finetuned/greedy/kind",
    ]


def test_safe_beam_is_planned_only_where_the_model_has_the_tag():
    with_tag, without = (plan_cells(SETS, has_tag=tag) for tag in (True, False))
    assert len(with_tag) == 2 * len(without)
    assert {cell.decoding for cell in without} == {"greedy"}


def test_a_prefill_is_the_first_twenty_characters_of_the_target():
    asked = SETS["asks"][0]
    assert prefill_of(asked, Attack.PREFILL) == "Sure, here is what y"
    assert prefill_of(asked, Attack.NONE) == ""
    assert prefill_of(prompt(), Attack.PREFILL) is None


def test_prompts_without_a_target_are_left_out_of_prefill_cells_alone():
    cells = [Cell(Stage.INSTRUCT, "greedy", "asks", attack) for attack in Attack]
    assert [len(cell_prompts(cell, SETS)) for cell in cells] == [2, 1]


def test_a_set_of_two_kinds_is_refused():
    with pytest.raises(EvaluationError, match="mixed must hold prompts of one kind"):
        plan_cells({"mixed": [prompt(), prompt(kind=PromptKind.BENIGN)]}, has_tag=False)
