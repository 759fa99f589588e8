"""Scorers side by side: every scorer over the same texts, measured on every slice of them.

A slice is all texts, a collection, a source, a tenth by length, or what an attack made of some texts. Rows hold numbers
and names; no text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from safety_assets.benchmark.errors import BenchmarkError
from safety_assets.benchmark.fitted import fitted_scores
from safety_assets.benchmark.labels import LabelledText, texts_digest
from safety_assets.benchmark.measures import Measured, Truth, confusion, fold_thresholds, measure
from safety_assets.benchmark.running import Cost, Run, run_scorer
from safety_assets.benchmark.scored import Scored, Scorer

__all__ = ["PLAIN", "BenchmarkRow", "Comparison", "benchmark_row", "compare"]

LENGTH_PARTS = 10
PLAIN = "plain"
Attack = Callable[[str], str]


@dataclass(frozen=True)
class Slice:
    """Some of the texts. ``kind`` is all, collection, source or length."""

    kind: str
    name: str
    rows: np.ndarray


@dataclass(frozen=True)
class BenchmarkRow:
    """One scorer on one slice.

    Attributes:
        decided: ``own`` levels of the scorer, or levels ``fitted`` on the other folds.
        kind, name: of the slice; an ``attack`` is compared with the attack ``plain``, over the same texts.
        confusion: (6, 7) counts, see ``measures.confusion``; None where no text or scorer has levels.
        cost: of scoring all texts; the same in each row of a scorer.
    """

    scorer: str
    scorer_version: str
    decided: str
    kind: str
    name: str
    measured: Measured
    confusion: tuple[tuple[int, ...], ...] | None
    cost: Cost


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they were measured on."""

    rows: tuple[BenchmarkRow, ...]
    texts: int
    collections: tuple[str, ...]
    folds: int
    digest: str

    @property
    def scorers(self) -> tuple[str, ...]:
        """In the order they were compared."""
        return tuple(dict.fromkeys(row.scorer for row in self.rows))

    def of(self, kind: str, decided: str = "own") -> list[BenchmarkRow]:
        """The rows of a kind of slice."""
        return [row for row in self.rows if (row.kind, row.decided) == (kind, decided)]


def compare(
    texts: Sequence[LabelledText],
    openers: Sequence[Callable[[], Scorer]],
    *,
    folds: int = 5,
    attacks: Mapping[str, Attack] | None = None,
    attacked_texts: int = 100,
    isolated: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Run every scorer over all texts, and over what attacks make of some of them.

    Args:
        folds: operating points come from the texts of the other folds.
        attacked_texts: harmful, and as many safe, texts that each attack is tried on.
        isolated: each scorer in a process of its own; see ``running.py``.
        say: told of progress, in numbers.

    Raises:
        BenchmarkError: no texts, no scorers, or fewer than two folds.
        ScorerError: a scorer cannot be used.
    """
    if not texts or not openers or folds < 2:
        raise BenchmarkError("A comparison takes labelled texts, at least one scorer, and two folds or more.")
    truth = Truth.of(texts, folds)
    tried = _tried(texts, truth, attacked_texts) if attacks else np.zeros(0, int)
    altered = [[attack(texts[place].text) for place in tried] for attack in (attacks or {}).values()]
    slices, rows = list(_slices(texts)), []
    for opener in openers:
        run = run_scorer(opener, [text.text for text in texts], altered, isolated=isolated)
        rows += _rows(run, truth, slices)
        rows += _attack_rows(run, truth, tried, list(attacks or {}))
        say(f"{run.name}: {run.cost.documents} texts, {run.cost.documents_per_second:.1f} a second")
    collections = tuple(dict.fromkeys(text.collection for text in texts))
    return Comparison(tuple(rows), len(texts), collections, folds, texts_digest(texts))


def benchmark_row(row: BenchmarkRow, comparison: Comparison, partition: str) -> dict[str, Any]:
    """The row as one of ``classifier_benchmark``."""
    return {
        "shard": partition,
        "scorer": row.scorer,
        "scorer_version": row.scorer_version,
        "decided": row.decided,
        "slice_kind": row.kind,
        "slice": row.name,
        **asdict(row.measured),
        "confusion": None if row.confusion is None else [list(counts) for counts in row.confusion],
        "documents_per_second": row.cost.documents_per_second,
        "opening_seconds": row.cost.opening_seconds,
        "peak_memory_mb": row.cost.peak_memory_mb,
        "device_memory_mb": row.cost.device_memory_mb,
        "folds": comparison.folds,
        "texts_digest": comparison.digest,
    }


def _rows(run: Run, truth: Truth, slices: Sequence[Slice]) -> Iterator[BenchmarkRow]:
    thresholds, fitted = fold_thresholds(truth, run.scored), fitted_scores(truth, run.scored)
    for part in slices:
        here, scored, own = truth.part(part.rows), run.scored.part(part.rows), thresholds[part.rows]
        read = fitted.part(part.rows) if fitted else None
        alone = part.kind == "collection" and not part.rows.all()
        if alone and {0, 1} <= set(here.harmful.tolist()):
            # Such a collection is a benchmark of its own: what is fitted is fitted on its own texts, if they suffice.
            own = fold_thresholds(here, scored)
            read = fitted_scores(here, scored) or read
        measured = measure(here, scored, own)
        yield _row(run, "own", part.kind, part.name, measured, _confusion(here, scored))
        if read is not None and part.kind in ("all", "collection"):
            # Fitting moves thresholds, not the order in which a scorer ranks.
            ranked = {
                name: getattr(measured, name) for name in ("auroc", "recall_at_rate", "false_alarms_at_rate")
            }
            yield _row(
                run,
                "fitted",
                part.kind,
                part.name,
                replace(measure(here, read, own, ranks=False), **ranked),
                _confusion(here, read),
            )


def _attack_rows(run: Run, truth: Truth, tried: np.ndarray, names: Sequence[str]) -> Iterator[BenchmarkRow]:
    """The texts that were attacked as they were, then under each attack, at the same operating points."""
    here, own = truth.part(tried), fold_thresholds(truth, run.scored)[tried]
    if not names:
        return
    for name, scored in zip((PLAIN, *names), (run.scored.part(tried), *run.others), strict=True):
        yield _row(run, "own", "attack", name, measure(here, scored, own), None)


def _row(
    run: Run, decided: str, kind: str, name: str, measured: Measured, counts: np.ndarray | None
) -> BenchmarkRow:
    table = None if counts is None else tuple(tuple(row) for row in counts.tolist())
    return BenchmarkRow(run.name, run.version, decided, kind, name, measured, table, run.cost)


def _confusion(truth: Truth, scored: Scored) -> np.ndarray | None:
    return confusion(truth, scored) if scored.gives_levels and (truth.levels >= 0).any() else None


def _slices(texts: Sequence[LabelledText]) -> Iterator[Slice]:
    yield Slice("all", "all", np.ones(len(texts), bool))
    for kind, names in (
        ("collection", [text.collection for text in texts]),
        ("source", [f"{text.collection}: {text.source}" for text in texts]),
    ):
        for name in dict.fromkeys(names):
            yield Slice(kind, name, np.array([other == name for other in names]))
    lengths = np.array([len(text.text) for text in texts])
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTH_PARTS + 1)).astype(int)).tolist()
    # Texts of one length are one part.
    for first, last in pairwise(edges if len(edges) > 1 else edges * 2):
        inside = (lengths >= first) & ((lengths < last) | (last == edges[-1]))
        yield Slice("length", f"{first:,} to {last:,} characters", inside)


def _tried(texts: Sequence[LabelledText], truth: Truth, most: int) -> np.ndarray:
    """Places of some harmful and some safe texts, drawn by their hashes over all collections."""
    drawn = np.array(sorted(range(len(texts)), key=lambda place: texts[place].key), int)
    return np.concatenate([drawn[truth.harmful[drawn] == 1][:most], drawn[truth.safe[drawn]][:most]])
