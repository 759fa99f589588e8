"""How much of the evaluation prompts stands in the training texts: shared runs of eight words, slice by slice.

A model that saw a prompt in training, or its refusal, was not asked anything new. Memory holds the prompts' runs
alone; texts are streamed and may be as many as there are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from safety_assets.evaluation.errors import EvaluationError
from safety_assets.evaluation.prompt_sets import EvaluationPrompt
from safety_assets.intervals import Estimate, wilson

__all__ = ["NGRAM_WORDS", "SliceOverlap", "prompt_overlap"]

NGRAM_WORDS = 8
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class SliceOverlap:
    """Prompts of one set that share a run of words with one slice.

    Attributes:
        compared: prompts long enough to hold a run; the others cannot be compared.
        shared: of those, with a run that stands in a text of the slice.
        share: shared / compared with its interval; None where none could be compared.
        texts: of the slice that were read.
    """

    slice: str
    set_name: str
    prompts: int
    compared: int
    shared: int
    share: Estimate | None
    texts: int


def prompt_overlap(
    prompts: Sequence[EvaluationPrompt],
    slices: Mapping[str, Iterable[str]],
    *,
    words: int = NGRAM_WORDS,
) -> list[SliceOverlap]:
    """Compare every prompt with every text, by case-folded words.

    Args:
        slices: texts by the name of their slice; each is read once.
        words: length of a run.

    Returns:
        One row for each slice and prompt set, in their order.

    Raises:
        EvaluationError: ``words`` is less than 1.
    """
    if words < 1:
        raise EvaluationError(f"A run has at least 1 word, not {words}.")
    vocabulary: dict[str, int] = {}
    owners: dict[tuple[int, ...], list[int]] = {}
    comparable = set()
    for index, prompt in enumerate(prompts):
        ids = [vocabulary.setdefault(word, len(vocabulary)) for word in _folded(prompt.text)]
        for run in {tuple(ids[at : at + words]) for at in range(len(ids) - words + 1)}:
            owners.setdefault(run, []).append(index)
            comparable.add(index)
    rows = []
    for name, texts in slices.items():
        hits: set[int] = set()
        read = 0
        for read, text in enumerate(texts, 1):  # noqa: B007
            hits.update(_owners_in(text, vocabulary, owners, words))
        rows += _rows(name, prompts, comparable, hits, read)
    return rows


def _owners_in(
    text: str, vocabulary: Mapping[str, int], owners: Mapping[tuple[int, ...], list[int]], words: int
) -> set[int]:
    """Prompts with a run in this text. A word that no prompt has ends a run, so most of a text costs one look-up a word."""
    found: set[int] = set()
    ids: list[int] = []
    for word in _folded(text):
        ident = vocabulary.get(word)
        if ident is None:
            ids.clear()
            continue
        ids.append(ident)
        if len(ids) >= words:
            found.update(owners.get(tuple(ids[-words:]), ()))
    return found


def _rows(
    slice_name: str, prompts: Sequence[EvaluationPrompt], comparable: set[int], hits: set[int], texts: int
) -> list[SliceOverlap]:
    rows = []
    for set_name in dict.fromkeys(prompt.set_name for prompt in prompts):
        own = {index for index, prompt in enumerate(prompts) if prompt.set_name == set_name}
        compared, shared = len(own & comparable), len(own & hits)
        rows.append(
            SliceOverlap(slice_name, set_name, len(own), compared, shared, wilson(shared, compared), texts)
        )
    return rows


def _folded(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
