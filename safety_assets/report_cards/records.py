"""The records that make up a Data Safety Report Card (SP section 3.5), and their JSON.

A card holds numbers, names, versions and digests: never a document's text. ``card.schema.json`` describes the
same fields for other programs, and is checked whenever a card is written or read. Records are made in
``card.py``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema

from safety_assets.intervals import Estimate
from safety_assets.report_cards.audits import ScoreAudit
from safety_assets.report_cards.errors import CardError

__all__ = [
    "CategoryChange",
    "CategoryRate",
    "Comparison",
    "Disposition",
    "Gate",
    "InputTable",
    "Model",
    "Override",
    "Precision",
    "ReportCard",
    "ScoreDistribution",
    "ScorerStates",
    "Slice",
    "Tally",
    "from_json",
    "to_json",
]

FORMAT_VERSION = 1
# What becomes of a document: exactly one of these.
DISPOSITIONS = ("kept", "rephrased", "refused", "held_back", "rejected")


@dataclass(frozen=True)
class InputTable:
    """A table the data set was made from: its partitions, the range of their snapshots, a digest of both."""

    table: str
    partitions: int
    first_snapshot: int | None
    last_snapshot: int | None
    digest: str


@dataclass(frozen=True)
class Tally:
    """A number of documents under a name."""

    name: str
    count: int


@dataclass(frozen=True)
class ScorerStates:
    """What became of one scorer's attempts, all six states present."""

    scorer: str
    states: tuple[Tally, ...]


@dataclass(frozen=True)
class Disposition:
    """What became of documents: one of :data:`DISPOSITIONS`, and why ('' where that needs no reason)."""

    kind: str
    why: str
    count: int


@dataclass(frozen=True)
class ScoreDistribution:
    """Documents at levels 0-5, and without a score. Shares are of the scored ones, ``None`` without any."""

    counts: tuple[int, ...]
    unscored: int
    shares: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class CategoryRate:
    """Occurrences of one category's n-grams, and their rate per million tokens (``None`` without tokens)."""

    category: str
    count: int
    rate: Estimate | None


@dataclass(frozen=True)
class Slice:
    """A part of the data set that shares no document with another.

    ``score_counts`` are documents at levels 0-5; ``ngram_method`` is 'infini-gram', 'scan' or 'not counted'.
    """

    name: str
    documents: int
    tokens: int
    score_counts: tuple[int, ...]
    unscored: int
    ngram_method: str
    ngrams: tuple[CategoryRate, ...]


@dataclass(frozen=True)
class CategoryChange:
    """One category in original and rephrased text; ``ratio`` is below 1 where rephrasing lowered the rate."""

    category: str
    original: CategoryRate
    rephrased: CategoryRate
    ratio: Estimate | None


@dataclass(frozen=True)
class Comparison:
    """Original against rephrased text (SP section 3.5): the names of the two slices, and every category."""

    original: str
    rephrased: str
    categories: tuple[CategoryChange, ...]


@dataclass(frozen=True)
class Precision:
    """How often the second judgement confirmed that a document scored 4-5 is harmful."""

    confirmed: int
    judged: int
    share: Estimate | None
    measured_by: str


@dataclass(frozen=True)
class Model:
    """A model that had a part in the data set; revision and prompt version are '' where it has none."""

    role: str
    name: str
    revision: str
    prompt_version: str


@dataclass(frozen=True)
class Gate:
    """One check: on how many partitions it passed and failed."""

    check: str
    passed: int
    failed: int


@dataclass(frozen=True)
class Override:
    """A failed gate that someone let pass, and the reason given."""

    gate: str
    reason: str


@dataclass(frozen=True)
class ReportCard:
    """A Data Safety Report Card.

    ``documents``, ``tokens``, ``scores`` and ``ngrams`` are over all slices; ``token_unit`` says what a token
    is. ``transition[before][after]`` counts documents by level before and after rescoring, (6, 7): the last
    column is the unscored. ``created_at`` is ISO 8601 in UTC. ``audit`` is missing from the JSON of cards that were
    made before there were audits, and ``None`` where no scores are that could be audited.
    """

    dataset: str
    title: str
    description: str
    created_at: str
    project_version: str
    documents: int
    tokens: int
    token_unit: str
    inputs: tuple[InputTable, ...]
    slices: tuple[Slice, ...]
    scores: ScoreDistribution
    ngrams: tuple[CategoryRate, ...]
    states: tuple[ScorerStates, ...]
    dispositions: tuple[Disposition, ...]
    rejections: tuple[Tally, ...]
    transition: tuple[tuple[int, ...], ...] | None
    comparison: Comparison | None
    precision: Precision | None
    models: tuple[Model, ...]
    gates: tuple[Gate, ...]
    overrides: tuple[Override, ...]
    notes: tuple[str, ...]
    audit: ScoreAudit | None = None
    format_version: int = FORMAT_VERSION


def to_json(card: ReportCard) -> str:
    """The card as indented JSON that fits ``card.schema.json``.

    Raises:
        CardError: a value that the schema does not allow.
    """
    try:
        text = json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise CardError(f"The card of {card.dataset} holds a number that is none: {error}.") from error
    _validate(json.loads(text))
    return text


def from_json(text: str) -> ReportCard:
    """The card that :func:`to_json` wrote: ``from_json(to_json(card)) == card``.

    Raises:
        CardError: not JSON, or not a report card.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise CardError(f"This is no JSON: {error}.") from error
    _validate(record)
    return _decoded(ReportCard, record)


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads(Path(__file__).with_name("card.schema.json").read_text("utf-8"))
    )


def _validate(record: Any) -> None:
    error = jsonschema.exceptions.best_match(_validator().iter_errors(record))
    if error is not None:
        raise CardError(f"Not a report card: {error.json_path}: {error.message[:300]}")


def _decoded(kind: Any, value: Any) -> Any:
    """Rebuild dataclasses, tuples and optional values from validated JSON."""
    if value is None or kind in (int, str):
        return value
    if kind is float:
        return float(value)
    if get_origin(kind) is tuple:
        return tuple(_decoded(get_args(kind)[0], part) for part in value)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _decoded(hints[name], part) for name, part in value.items()})
    (inner,) = (option for option in get_args(kind) if option is not NoneType)
    return _decoded(inner, value)
