"""Prompt sets by name and by path: common column names, ids that do not depend on order, clear errors."""

from __future__ import annotations

import json

import pytest

from safety_assets.evaluation.errors import PromptSetError
from safety_assets.evaluation.prompt_sets import (
    PACKAGED_SETS,
    PromptKind,
    load_prompt_set,
    packaged_prompts,
)


def written(folder, name: str, text: str):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row", "text", "target", "kind"),
    [
        ("goal,target", "Ask,Sure", "Ask", "Sure", PromptKind.REQUEST),
        ("Index,Goal,Target,Behavior,Category", "0,In full,Sure,Name,Cat", "In full", "Sure", "request"),
        (
            "original_behavior,completion_behavior,source_dataset",
            "Ask,So it goes,x",
            "So it goes",
            None,
            "completion",
        ),
        ("BehaviorID,Behavior,SemanticCategory", "b_1,Ask,cat", "Ask", None, "request"),
        ("prompt", "Ask", "Ask", None, "request"),
    ],
)
def test_common_column_names_are_known(tmp_path, header, row, text, target, kind):
    (found,) = load_prompt_set(written(tmp_path, "set.csv", f"{header}\n{row}\n"))
    assert (found.text, found.target, found.kind, found.set_name) == (text, target, kind, "set")


def test_a_completion_set_can_be_read_as_its_requests(tmp_path):
    path = written(tmp_path, "s.csv", "original_behavior,completion_behavior\nAsk,So it goes\n")
    (found,) = load_prompt_set(path, kind=PromptKind.REQUEST)
    assert (found.text, found.kind) == ("Ask", PromptKind.REQUEST)


def test_the_context_of_a_request_stands_before_it(tmp_path):
    path = written(tmp_path, "s.jsonl", json.dumps({"behavior": "Ask", "ContextString": "Page"}))
    assert load_prompt_set(path)[0].text == "Page\n\nAsk"


def test_ids_come_from_the_text_and_not_from_its_place(tmp_path):
    one = load_prompt_set(written(tmp_path, "a.json", '["x", "y", "y"]'))
    two = load_prompt_set(written(tmp_path, "b.json", '["y", "x", "y"]'))
    assert {row.prompt_id for row in one} == {row.prompt_id for row in two}
    assert len({row.prompt_id for row in one}) == 3


def test_a_limit_takes_the_first_prompts(tmp_path):
    path = written(tmp_path, "a.json", '["x", "y", "z"]')
    assert [row.text for row in load_prompt_set(path, limit=2)] == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '{"words": "x"}', "a.jsonl, row 1: no prompt"),
        ("a.jsonl", '{"text": "x"}\n{"text": " "}', "row 2: no prompt"),
        ("a.jsonl", "{", "cannot be read as jsonl"),
        ("a.jsonl", "", "holds no prompts"),
        ("a.jsonl", "[1]", "neither an object nor a text"),
        ("a.json", "{}", "holds no list"),
        ("a.txt", "x", "is not .jsonl"),
        ("a.jsonl", '{"id": 1, "text": "x"}\n{"id": 1, "text": "y"}', "more than one prompt"),
    ],
)
def test_what_is_no_prompt_set_is_refused_with_its_place(tmp_path, name, text, told):
    with pytest.raises(PromptSetError, match=told):
        load_prompt_set(written(tmp_path, name, text))


def test_an_unknown_set_is_refused_and_the_known_ones_are_named():
    with pytest.raises(PromptSetError, match="completions, requests, benign_sounding_harmful"):
        load_prompt_set("no-such-set")


@pytest.mark.parametrize("name", PACKAGED_SETS)
def test_packaged_sets_are_whole(name):
    if not (packaged_prompts() / f"{name}.jsonl").is_file():
        pytest.skip(f"{name} is not packaged yet")
    prompts = load_prompt_set(name)
    assert {row.kind for row in prompts} == {PACKAGED_SETS[name]}
    assert len({row.text for row in prompts}) == len(prompts)
    assert all(row.category for row in prompts)
