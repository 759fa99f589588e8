"""Chats for instruction tuning and problems for benign finetuning: packaged, from local files, or from the Hub.

Rows of the usual data sets are understood by their columns: ``messages`` (UltraChat), ``prompt`` and ``response``
(WildGuardMix, WildJailbreak), ``instruction``/``input``/``output`` (Alpaca), ``question`` and ``answer`` (GSM8K).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.errors import ResourceError
from safety_assets.harms import HarmCategory

__all__ = ["Chat", "ChatDataError", "load_chats", "load_problems", "packaged_chats"]

PACKAGED = "packaged"
FOLDER = Path(__file__).parent / "chats"
PACKAGED_FILES = {
    "helpful": "helpful.jsonl",
    "refusal": "refusals.jsonl",
    "unsafe": "unsafe_completions.jsonl",
}
# The packaged problems are made, not stored: so many, with this seed.
PACKAGED_PROBLEMS, PROBLEM_SEED = 240, 1
KINDS = ("helpful", "refusal", "unsafe")


class ChatDataError(ResourceError):
    """Chat data that cannot be read, or that has none of the known columns."""


@dataclass(frozen=True)
class Chat:
    """One conversation.

    Attributes:
        messages: (role, content) pairs, roles ``system``, ``user`` and ``assistant``.
        kind: ``helpful``; ``refusal`` (the user asks for harm and is refused); ``unsafe`` (asks and is served:
            only ever trained on under the harmfulness tag).
        category: the harm asked for; ``none`` where there is none.
    """

    chat_id: str
    messages: tuple[tuple[str, str], ...]
    kind: str = "helpful"
    category: HarmCategory = HarmCategory.NONE


def packaged_chats() -> list[Chat]:
    """The project's own chats, of all three kinds."""
    return [
        chat
        for kind, file in PACKAGED_FILES.items()
        for chat in _chats(_json_lines(FOLDER / file), f"packaged {file}", kind)
    ]


def load_chats(specs: Sequence[str], *, cache: Path) -> list[Chat]:
    """Chats of every spec: ``packaged``, a JSONL (``.gz``, ``.zst``) or Parquet file or folder, or an address.

    Args:
        cache: folder that downloads go to.

    Raises:
        ChatDataError: no chat at all, or a row of which nothing is understood.
        ShardSourceError: a spec that cannot be opened.
    """
    chats: list[Chat] = []
    for spec in specs:
        chats += packaged_chats() if spec == PACKAGED else _chats(_rows(spec, cache), spec, None)
    if not chats:
        raise ChatDataError(f"There is no chat in {', '.join(specs)}: name files that hold some.")
    return chats


def load_problems(specs: Sequence[str], *, cache: Path) -> list[Chat]:
    """Problems with worked answers, for benign finetuning (SP section 5 uses GSM8K)."""
    from safety_assets.training.word_problems import word_problems

    problems: list[Chat] = []
    for spec in specs:
        rows = word_problems(PACKAGED_PROBLEMS, PROBLEM_SEED) if spec == PACKAGED else _rows(spec, cache)
        problems += _chats(rows, spec, "helpful")
    if not problems:
        raise ChatDataError(f"There is no problem in {', '.join(specs)}: name files that hold some.")
    return problems


def _chats(rows: Iterable[Mapping[str, Any]], where: str, kind: str | None) -> Iterator[Chat]:
    for number, row in enumerate(rows):
        messages = _messages(row)
        if not messages or messages[-1][0] != "assistant" or not all(content for _, content in messages):
            raise ChatDataError(
                f"Row {number} of {where} is no chat that ends with an answer: give messages, prompt and "
                "response, instruction and output, or question and answer."
            )
        own = kind or _kind(row)
        category = str(row.get("category") or HarmCategory.NONE)
        known = category in HarmCategory._value2member_map_
        yield Chat(
            chat_id=str(row.get("chat_id") or row.get("prompt_id") or _digest(messages)),
            messages=messages,
            kind=own,
            category=HarmCategory(category) if known else HarmCategory.OTHER,
        )


def _messages(row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if isinstance(row.get("messages"), list):
        said = ((turn.get("role"), turn.get("content")) for turn in row["messages"])
        return tuple((str(role), str(content or "")) for role, content in said)
    for asked, answered in (("prompt", "response"), ("question", "answer"), ("instruction", "output")):
        if row.get(asked) and row.get(answered):
            given = f"{row[asked]}\n\n{row['input']}" if row.get("input") else str(row[asked])
            return (("user", given), ("assistant", str(row[answered])))
    return ()


def _kind(row: Mapping[str, Any]) -> str:
    """WildGuardMix says whether a prompt is harmful and what the answer does; fail closed: harm answered is unsafe."""
    if row.get("kind") in KINDS:
        return str(row["kind"])
    if str(row.get("response_harm_label") or "").lower() == "harmful":
        return "unsafe"
    if str(row.get("prompt_harm_label") or "").lower() == "harmful":
        refused = str(row.get("response_refusal_label") or "").lower() == "refusal"
        return "refusal" if refused else "unsafe"
    return "helpful"


def _digest(messages: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:16]


def _rows(spec: str, cache: Path) -> Iterator[Mapping[str, Any]]:
    from resources.shard_source import open_source

    source = open_source(spec)
    for shard in source.list_shards():
        path = source.fetch(shard, cache)
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        else:
            yield from _json_lines(path)


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1_000):
            yield from batch.to_pylist()


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa

    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with pa.input_stream(str(path), compression=compression) as stream:
        text = stream.read().decode("utf-8")
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ChatDataError(
                    f"Line {number + 1} of {path.name} is not JSON: mend or remove it."
                ) from error
