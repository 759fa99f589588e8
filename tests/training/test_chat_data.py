"""Chat data: packaged, or in the columns that the usual data sets have; harm that was served is never harmless."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safety_assets.harms import HarmCategory
from safety_assets.training.chat_data import ChatDataError, load_chats, load_problems, packaged_chats


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_the_packaged_chats_are_of_three_kinds_and_end_with_an_answer():
    chats = packaged_chats()
    assert {chat.kind for chat in chats} == {"helpful", "refusal", "unsafe"}
    assert all(chat.messages[-1][0] == "assistant" for chat in chats)
    assert all((chat.category == HarmCategory.NONE) == (chat.kind == "helpful") for chat in chats)


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}, "Hi"),
        ({"prompt": "Hi", "response": "Hello"}, "Hi"),
        ({"question": "Hi", "answer": "Hello"}, "Hi"),
        ({"instruction": "Add", "input": "1, 2", "output": "3"}, "Add\n\n1, 2"),
    ],
)
def test_the_columns_of_the_usual_data_sets_are_understood(tmp_path, row, asked):
    (chat,) = load_chats([write(tmp_path / "chats.jsonl", row)], cache=tmp_path)
    assert chat.messages[0] == ("user", asked)
    assert chat.kind == "helpful"


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({"prompt_harm_label": "unharmful"}, "helpful"),
        ({"prompt_harm_label": "harmful", "response_refusal_label": "refusal"}, "refusal"),
        ({"prompt_harm_label": "harmful", "response_refusal_label": "compliance"}, "unsafe"),
        ({"prompt_harm_label": "harmful", "response_refusal_label": None}, "unsafe"),
        ({"prompt_harm_label": "unharmful", "response_harm_label": "harmful"}, "unsafe"),
    ],
)
def test_harm_that_was_served_or_may_have_been_is_unsafe(tmp_path, labels, kind):
    row = {"prompt": "p", "response": "r", **labels}
    (chat,) = load_chats([write(tmp_path / "chats.jsonl", row)], cache=tmp_path)
    assert chat.kind == kind


def test_compressed_files_and_parquet_are_read(tmp_path):
    row = {"question": "2 + 2?", "answer": "4"}
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n")
    pq.write_table(pa.Table.from_pylist([row] * 3), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl.zst").write_bytes(pa.compress(json.dumps(row).encode(), "zstd", asbytes=True))
    problems = load_problems([str(tmp_path / name) for name in ("a.jsonl.gz", "b.parquet")], cache=tmp_path)
    assert [problem.messages[1] for problem in problems] == [("assistant", "4")] * 4


def test_a_row_that_is_no_chat_is_named(tmp_path):
    spec = write(tmp_path / "chats.jsonl", {"prompt": "p", "response": "r"}, {"prompt": "alone"})
    with pytest.raises(ChatDataError, match="Row 1 of"):
        load_chats([spec], cache=tmp_path)
    with pytest.raises(ChatDataError, match="is not JSON"):
        (tmp_path / "broken.jsonl").write_text("{")
        load_chats([str(tmp_path / "broken.jsonl")], cache=tmp_path)
