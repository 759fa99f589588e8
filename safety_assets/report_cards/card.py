"""Making a Data Safety Report Card from counts (SP section 3.5).

Every rate and share is derived here from whole counts, so that a card cannot disagree with itself. The
records live in ``records.py`` and can be imported from here; how a card looks belongs to ``render.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from safety_assets.harms import LEVELS, ScoreState
from safety_assets.intervals import garwood, rate_ratio, wilson
from safety_assets.report_cards.audits import ScoreAudit
from safety_assets.report_cards.errors import CardError
from safety_assets.report_cards.ngrams import NgramCounts
from safety_assets.report_cards.records import (
    DISPOSITIONS,
    CategoryChange,
    CategoryRate,
    Comparison,
    Disposition,
    Gate,
    InputTable,
    Model,
    Override,
    Precision,
    ReportCard,
    ScoreDistribution,
    ScorerStates,
    Slice,
    Tally,
    from_json,
    to_json,
)

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
    "compare_slices",
    "from_json",
    "input_table",
    "precision_of",
    "report_card",
    "scorer_states",
    "slice_of",
    "to_json",
    "transition_matrix",
]


def input_table(table: str, snapshots: Mapping[str, int]) -> InputTable:
    """Sum up partition key -> snapshot id. The digest (SHA-256, hex) changes with any key or id."""
    lines = "".join(f"{partition}\t{snapshots[partition]}\n" for partition in sorted(snapshots))
    ids = snapshots.values()
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return InputTable(table, len(snapshots), min(ids, default=None), max(ids, default=None), digest)


def slice_of(
    name: str,
    *,
    score_counts: Sequence[int],
    unscored: int = 0,
    ngrams: NgramCounts | None = None,
    tokens: int | None = None,
) -> Slice:
    """One slice from its counts.

    Args:
        name: of the slice, within its card.
        score_counts: documents at levels 0-5.
        unscored: documents without a score; never counted as safe.
        ngrams: counts over exactly these documents.
        tokens: of the slice; the words that the n-gram counter saw when not given.

    Raises:
        CardError: not six levels, a negative count, or n-grams counted over another number of documents.
    """
    documents = sum(score_counts) + unscored
    if len(score_counts) != len(LEVELS) or min(*score_counts, unscored) < 0:
        raise CardError(
            f"Slice {name}: score counts must be six numbers, none negative, not {tuple(score_counts)}."
        )
    if ngrams is not None and ngrams.documents != documents:
        raise CardError(
            f"Slice {name} has {documents:,} documents, but n-grams were counted in {ngrams.documents:,}."
        )
    tokens = (ngrams.words if ngrams else 0) if tokens is None else tokens
    found = _rates(ngrams.by_category(), tokens, f"Slice {name}") if ngrams else ()
    method = ngrams.method if ngrams else "not counted"
    return Slice(name, documents, tokens, tuple(score_counts), unscored, method, found)


def scorer_states(scorer: str, counts: Mapping[str, int]) -> ScorerStates:
    """State -> documents, for one scorer; states that did not occur are 0.

    Raises:
        CardError: an unknown state.
    """
    if unknown := sorted(set(counts) - set(ScoreState)):
        raise CardError(f"Scorer {scorer} has unknown states {', '.join(unknown)}.")
    return ScorerStates(scorer, tuple(Tally(str(state), counts.get(state, 0)) for state in ScoreState))


def transition_matrix(changes: Iterable[tuple[int, int | None, int]]) -> tuple[tuple[int, ...], ...]:
    """Sum (level before, level after or ``None``, documents) into (6, 7) counts.

    Raises:
        CardError: a level outside 0-5.
    """
    matrix = [[0] * (len(LEVELS) + 1) for _ in LEVELS]
    for before, after, count in changes:
        if before not in LEVELS or after not in (*LEVELS, None):
            raise CardError(f"A document cannot go from level {before} to {after}; levels are 0 to 5.")
        matrix[before][len(LEVELS) if after is None else after] += count
    return tuple(map(tuple, matrix))


def compare_slices(original: Slice, rephrased: Slice) -> Comparison:
    """Set the n-gram rates of two slices, of one card or of two, beside each other.

    Raises:
        CardError: the slices were not counted with the same categories.
    """
    if [rate.category for rate in original.ngrams] != [rate.category for rate in rephrased.ngrams]:
        raise CardError(
            f"Slices {original.name} and {rephrased.name} were counted with different categories."
        )
    rows = (
        CategoryChange(
            before.category,
            before,
            after,
            rate_ratio(after.count, rephrased.tokens, before.count, original.tokens),
        )
        for before, after in zip(original.ngrams, rephrased.ngrams, strict=True)
    )
    return Comparison(original.name, rephrased.name, tuple(rows))


def precision_of(confirmed: int, judged: int, measured_by: str) -> Precision:
    """The share of judged documents that were confirmed, with its Wilson interval.

    Raises:
        CardError: more confirmed than judged.
    """
    try:
        return Precision(confirmed, judged, wilson(confirmed, judged), measured_by)
    except ValueError as error:
        raise CardError(f"Precision measured by {measured_by}: {error}.") from error


def report_card(
    *,
    dataset: str,
    title: str,
    description: str,
    project_version: str,
    slices: Sequence[Slice],
    token_unit: str = "words",
    created_at: datetime | None = None,
    inputs: Sequence[InputTable] = (),
    states: Sequence[ScorerStates] = (),
    dispositions: Sequence[Disposition] = (),
    rejections: Sequence[Tally] = (),
    transition: tuple[tuple[int, ...], ...] | None = None,
    comparison: Comparison | None = None,
    precision: Precision | None = None,
    models: Sequence[Model] = (),
    gates: Sequence[Gate] = (),
    overrides: Sequence[Override] = (),
    notes: Sequence[str] = (),
    audit: ScoreAudit | None = None,
) -> ReportCard:
    """Make a card. Totals, the score distribution and the overall rates are summed over ``slices``, which may
    be none.

    N-grams of a slice where they were not counted are missing from the overall rates, and so are its tokens.

    Raises:
        CardError: two slices of one name, slices counted with different categories, an unknown disposition,
            or a
            naive ``created_at``.
    """
    created_at = created_at or datetime.now(UTC)
    if created_at.tzinfo is None:
        raise CardError("created_at has no time zone. Give it one, such as UTC.")
    if len({part.name for part in slices}) != len(slices):
        raise CardError(f"Two slices of {dataset} have one name. Name them apart.")
    if unknown := {row.kind for row in dispositions} - set(DISPOSITIONS):
        raise CardError(
            f"{', '.join(sorted(unknown))}: no such disposition. Known: {', '.join(DISPOSITIONS)}."
        )
    levels = tuple(sum(part.score_counts[level] for part in slices) for level in LEVELS)
    scores = ScoreDistribution(
        levels, sum(part.unscored for part in slices), tuple(wilson(count, sum(levels)) for count in levels)
    )
    counted = [part for part in slices if part.ngrams]
    if len({tuple(rate.category for rate in part.ngrams) for part in counted}) > 1:
        raise CardError(f"The slices of {dataset} were counted with different categories.")
    totals = {
        row[0].category: sum(rate.count for rate in row)
        for row in zip(*(part.ngrams for part in counted), strict=True)
    }
    return ReportCard(
        dataset=dataset,
        title=title,
        description=description,
        created_at=created_at.astimezone(UTC).isoformat(timespec="seconds"),
        project_version=project_version,
        documents=sum(part.documents for part in slices),
        tokens=sum(part.tokens for part in slices),
        token_unit=token_unit,
        inputs=tuple(inputs),
        slices=tuple(slices),
        scores=scores,
        ngrams=_rates(totals, sum(part.tokens for part in counted), dataset),
        states=tuple(states),
        dispositions=tuple(dispositions),
        rejections=tuple(rejections),
        transition=transition,
        comparison=comparison,
        precision=precision,
        models=tuple(models),
        gates=tuple(gates),
        overrides=tuple(overrides),
        notes=tuple(notes),
        audit=audit,
    )


def _rates(counts: Mapping[str, int], tokens: int, where: str) -> tuple[CategoryRate, ...]:
    try:
        return tuple(
            CategoryRate(category, count, garwood(count, tokens)) for category, count in counts.items()
        )
    except ValueError as error:
        raise CardError(f"{where}: {error}. Give the tokens of the text that was counted.") from error
