"""Prompts to evaluate with: the packaged sets by name, and any JSONL, JSON, CSV or TSV file by path.

Public sets name their columns differently; the common names are known here. A set is read whole: it is small.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from safety_assets.evaluation.errors import PromptSetError

__all__ = ["PACKAGED_SETS", "EvaluationPrompt", "PromptKind", "load_prompt_set", "packaged_prompts"]


class PromptKind(StrEnum):
    """What a prompt is for."""

    # The beginning of a harmful text, for a base model to go on with.
    COMPLETION = "completion"
    # A harmful request to an assistant.
    REQUEST = "request"
    # A harmless request that sounds harmful: it should be answered.
    BENIGN = "benign"


@dataclass(frozen=True)
class EvaluationPrompt:
    """One prompt. ``target`` is how a compliant answer would begin; the prefill attack uses its first characters."""

    prompt_id: str
    set_name: str
    kind: PromptKind
    text: str
    target: str | None
    category: str

    @property
    def text_hash(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


PACKAGED_SETS = {
    "completions": PromptKind.COMPLETION,
    "requests": PromptKind.REQUEST,
    "benign_sounding_harmful": PromptKind.BENIGN,
}

# Columns by what they hold, the first that is there counts. A "goal" is the request in full where a "behavior"
# beside it is only its name.
_COMPLETION_COLUMNS = ("completion_behavior", "completion", "completion_prompt")
_TEXT_COLUMNS = (
    "text",
    "prompt",
    "goal",
    "original_behavior",
    "behavior",
    "request",
    "query",
    "question",
    "instruction",
    "adversarial",
)
_TARGET_COLUMNS = ("target", "target_str", "target_string", "prefill")
_CATEGORY_COLUMNS = ("category", "semanticcategory", "harm_category", "source_dataset", "source", "label")
_ID_COLUMNS = ("prompt_id", "behaviorid", "behavior_id", "id", "index")
_CONTEXT_COLUMNS = ("contextstring", "context")


def packaged_prompts() -> Path:
    """The folder of the packaged sets."""
    return Path(__file__).parent / "prompts"


def load_prompt_set(
    source: str | Path,
    *,
    name: str | None = None,
    kind: PromptKind | None = None,
    limit: int | None = None,
) -> list[EvaluationPrompt]:
    """Read a prompt set.

    Args:
        source: a name of :data:`PACKAGED_SETS`, or a path to a .jsonl, .json, .csv or .tsv file.
        name: of the set; the file's name without its ending by default.
        kind: what the prompts are for. By default completions where the file has a column of completions, else
            harmful requests; a file of harmless prompts needs it said.
        limit: at most this many, the first ones.

    Returns:
        At least one prompt, each with an id of its own.

    Raises:
        PromptSetError: no such file or set, no column of prompts, an empty prompt, an id twice.
    """
    path = Path(source)
    if str(source) in PACKAGED_SETS:
        path = packaged_prompts() / f"{source}.jsonl"
        kind = kind or PACKAGED_SETS[str(source)]
    if not path.is_file():
        known = ", ".join(PACKAGED_SETS)
        raise PromptSetError(f"There is no prompt set {source}: give a path to a file, or one of {known}.")
    prompts: list[EvaluationPrompt] = []
    for number, row in _rows(path):
        if limit is not None and len(prompts) >= limit:
            break
        prompts.append(_prompt(row, name or path.stem, kind, f"{path.name}, row {number}"))
    if not prompts:
        raise PromptSetError(f"{path.name} holds no prompts.")
    return _told_apart(prompts, path.name)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number from 1, row with lower-case column names)."""
    try:
        for number, row in enumerate(_raw_rows(path), 1):
            if isinstance(row, str):
                row = {"text": row}
            if not isinstance(row, dict):
                raise PromptSetError(f"{path.name}, row {number} is neither an object nor a text.")
            yield number, {str(key).strip().lower(): value for key, value in row.items()}
    except (ValueError, csv.Error) as error:
        raise PromptSetError(f"{path.name} cannot be read as {path.suffix[1:]}: {error}") from error


def _raw_rows(path: Path) -> Iterator[Any]:
    match path.suffix.lower():
        case ".jsonl":
            with path.open(encoding="utf-8-sig") as file:
                yield from (json.loads(line) for line in file if line.strip())
        case ".json":
            rows = json.loads(path.read_text("utf-8-sig"))
            if not isinstance(rows, list):
                raise PromptSetError(f"{path.name} holds no list of prompts.")
            yield from rows
        case ".csv" | ".tsv" as ending:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file, delimiter="\t" if ending == ".tsv" else ",")
        case ending:
            raise PromptSetError(f"{path.name}: {ending or 'no ending'} is not .jsonl, .json, .csv or .tsv.")


def _prompt(row: Mapping[str, Any], set_name: str, kind: PromptKind | None, where: str) -> EvaluationPrompt:
    completion = _first(row, _COMPLETION_COLUMNS)
    if completion is not None and kind in (None, PromptKind.COMPLETION):
        text, kind = completion, PromptKind.COMPLETION
    else:
        text, kind = _first(row, _TEXT_COLUMNS), kind or PromptKind.REQUEST
    if text is None:
        raise PromptSetError(
            f"{where}: no prompt. One of the columns {', '.join(_COMPLETION_COLUMNS + _TEXT_COLUMNS)} must hold it; "
            f"there are {', '.join(map(str, row))}."
        )
    context = _first(row, _CONTEXT_COLUMNS)
    return EvaluationPrompt(
        prompt_id=_first(row, _ID_COLUMNS) or "",
        set_name=set_name,
        kind=kind,
        text=f"{context}\n\n{text}" if context else text,
        target=_first(row, _TARGET_COLUMNS),
        category=_first(row, _CATEGORY_COLUMNS) or "",
    )


def _first(row: Mapping[str, Any], columns: tuple[str, ...]) -> str | None:
    """The first of the columns that holds something, as text."""
    for column in columns:
        value = row.get(column)
        if value is not None and str(value).strip():
            return str(value).strip()
    return None


def _told_apart(prompts: list[EvaluationPrompt], where: str) -> list[EvaluationPrompt]:
    """Give ids to prompts without one: from their text, so that the order of a file has no say."""
    seen: dict[str, int] = {}
    told = []
    for prompt in prompts:
        own = prompt.prompt_id or prompt.text_hash[:16]
        times = seen[own] = seen.get(own, 0) + 1
        if times > 1 and prompt.prompt_id:
            raise PromptSetError(f"{where}: the id {own} stands on more than one prompt.")
        ident = own if times == 1 else f"{own}-{times}"
        told.append(
            EvaluationPrompt(ident, prompt.set_name, prompt.kind, prompt.text, prompt.target, prompt.category)
        )
    return told
