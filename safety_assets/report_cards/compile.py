"""From the lake to a report card: which rows a card counts, and where its facts come from.

Numbers are summed by SQL; texts only stream past the n-gram counter.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from resources.lake import UNPARTITIONED, Lake
from safety_assets.harms import LEVELS
from safety_assets.report_cards.audits import ScoreAudit, audit_of_rows, not_audited
from safety_assets.report_cards.card import (
    Disposition,
    Gate,
    InputTable,
    Model,
    Override,
    Precision,
    ReportCard,
    ScorerStates,
    Slice,
    Tally,
    compare_slices,
    input_table,
    precision_of,
    report_card,
    scorer_states,
    slice_of,
    transition_matrix,
)
from safety_assets.report_cards.ngrams import count_ngrams

__all__ = ["CARDS", "CardPlan", "compile_card", "inputs_of", "mixture_plan"]

Queries = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class CardPlan:
    """What a data set's card shows beyond slices, rates, models and gates."""

    dataset: str
    title: str
    description: str
    # Tables whose versions the card states; the data set itself first.
    inputs: tuple[str, ...]
    token_unit: str = "tokens of the language model"
    states: bool = False
    dispositions: bool = False
    transition: bool = False
    comparison: bool = False
    precision: bool = False
    audit: bool = False
    notes: tuple[str, ...] = ()
    # The table and the one partition that the data set is, where it is not all of a table of its name.
    table: str | None = None
    partition: str | None = None


CARDS = (
    CardPlan(
        "fineweb",
        "FineWeb, validated",
        "Source documents as they came, before any score: what the other data sets are made from.",
        ("fineweb",),
        token_unit="tokens as the source counted them",
        notes=("Documents are scored in the next data set, scored_fineweb.",),
    ),
    CardPlan(
        "safety_annotations",
        "Safety annotations",
        "Labelled examples that train and calibrate the scorers, by split.",
        ("safety_annotations",),
        token_unit="words",
    ),
    CardPlan(
        "scored_fineweb",
        "FineWeb, scored 0-5",
        "Every document with the higher of two scores, by what happens to it next.",
        ("scored_fineweb", "fineweb", "safety_classifier", "score_audit"),
        states=True,
        dispositions=True,
        audit=True,
    ),
    CardPlan(
        "safeweb",
        "SafeWeb",
        "Documents scored 1-3, retold as safe, educational text.",
        ("safeweb", "scored_fineweb", "fineweb"),
        transition=True,
        comparison=True,
        notes=("The comparison sets accepted retellings against their own sources.",),
    ),
    CardPlan(
        "refuseweb",
        "RefuseWeb",
        "Confirmed documents scored 4-5, as dialogues in which the harm is refused.",
        ("refuseweb", "scored_fineweb", "fineweb", "score_audit"),
        precision=True,
        audit=True,
        notes=("Scores after are those of the assistant's turn; the user's turn asks for harm by design.",),
    ),
    CardPlan(
        "moral_education",
        "Moral Education",
        "Each RefuseWeb dialogue as an article on the principle behind the refusal.",
        ("moral_education", "refuseweb"),
    ),
)


def mixture_plan(recipe: str) -> CardPlan:
    """The card of one recipe's training windows, by slice."""
    return CardPlan(
        f"tokenized_mixture.{recipe}",
        f"Mixture {recipe}",
        "What a model of this recipe is trained on, by slice; text that is repeated counts each time.",
        ("tokenized_mixture",),
        token_unit="tokens of the trained model",
        notes=("Documents are spans: a document that a window's end cuts counts in both windows.",),
        table="tokenized_mixture",
        partition=recipe,
    )


def compile_card(plan: CardPlan, lake: Lake, queries: Queries) -> ReportCard:
    """The card of a data set as it is in the lake now; without rows it says so.

    Raises:
        LakeError: the lake cannot be read.
        CardError: counts that contradict each other.
    """
    slices = _slices(lake, plan.dataset, queries)
    rephrased = slices[0] if slices else None
    originals = _slices(lake, "safeweb_sources", queries) if plan.comparison and rephrased else []
    return report_card(
        dataset=plan.dataset,
        title=plan.title,
        description=plan.description,
        project_version=version("safety-assets"),
        slices=slices,
        token_unit=plan.token_unit,
        inputs=inputs_of(plan, lake),
        states=_states(lake) if plan.states else (),
        dispositions=_dispositions(lake) if plan.dispositions else (),
        rejections=[Tally(row["fault"], row["count"]) for row in _rows(lake, "card_faults", plan)],
        transition=_transition(lake) if plan.transition else None,
        comparison=compare_slices(originals[0], rephrased) if originals and rephrased else None,
        precision=_precision(lake) if plan.precision else None,
        models=[Model(**row) for row in _rows(lake, "card_models", plan)],
        gates=[
            Gate(row["check_name"], row["passed"], row["failed"])
            for row in lake.rows(
                "card_gates", {"dataset": plan.table or plan.dataset, "partition": plan.partition}
            )
        ],
        overrides=[
            Override(**row)
            for row in lake.rows(
                "card_overrides", {"datasets": list(plan.inputs), "partition": plan.partition}
            )
        ],
        notes=plan.notes,
        audit=_audit(lake) if plan.audit else None,
    )


def inputs_of(plan: CardPlan, lake: Lake) -> list[InputTable]:
    """The versions that a card is made from; their digests are its data version."""
    return [
        input_table(
            table,
            {
                found.partition: found.snapshot_id
                for found in lake.versions(table)
                if plan.partition in (None, found.partition)
            },
        )
        for table in plan.inputs
    ]


def _rows(lake: Lake, report: str, plan: CardPlan) -> list[dict]:
    return lake.rows(report, {"dataset": plan.dataset})


def _slices(lake: Lake, dataset: str, queries: Queries) -> list[Slice]:
    counts: dict[str, list[dict]] = {}
    for row in lake.rows("card_counts", {"dataset": dataset}):
        counts.setdefault(row["slice"], []).append(row)
    return [_slice(lake, dataset, name, rows, queries) for name, rows in counts.items()]


def _slice(lake: Lake, dataset: str, name: str, rows: Sequence[dict], queries: Queries) -> Slice:
    levels = {row["score"]: row["documents"] for row in rows}
    with tempfile.TemporaryDirectory(prefix="ngrams-") as folder:
        ngrams = count_ngrams(_texts(lake, dataset, name), queries, workdir=Path(folder))
    # Where some document was not counted in tokens, the counter's words are the honest unit for all.
    tokens = None if any(row["uncounted"] for row in rows) else sum(row["tokens"] for row in rows)
    return slice_of(
        name,
        score_counts=[levels.get(level, 0) for level in LEVELS],
        unscored=levels.get(None, 0),
        ngrams=ngrams,
        tokens=tokens,
    )


def _texts(lake: Lake, dataset: str, name: str) -> Iterator[str]:
    with lake.report("card_texts", {"dataset": dataset, "slice": name}) as reader:
        for batch in reader:
            for text in batch.column("text"):
                yield text.as_py()


def _states(lake: Lake) -> list[ScorerStates]:
    counts: dict[str, dict[str, int]] = {}
    for row in lake.rows("card_states"):
        counts.setdefault(row["scorer"], {})[row["state"]] = row["count"]
    return [scorer_states(scorer, states) for scorer, states in counts.items()]


def _dispositions(lake: Lake) -> list[Disposition]:
    rows = lake.rows("disposition_counts", {"partition": None})
    return [Disposition(row["disposition"], row["why"], row["documents"]) for row in rows]


def _transition(lake: Lake) -> tuple[tuple[int, ...], ...]:
    return transition_matrix(
        (row["before"], row["after"], row["count"]) for row in lake.rows("safeweb_transitions")
    )


def _precision(lake: Lake) -> Precision | None:
    """Of the second judgement, as measured on annotations that it was not trained on."""
    found = lake.rows("newest_classifier")
    if not found:
        return None
    measured = json.loads(found[0]["metrics"])["confirmation"]
    return precision_of(
        measured["true_positives"], measured["confirmed"], f"{measured['examples']} held-out annotations"
    )


def _audit(lake: Lake) -> ScoreAudit:
    """Of the newest classifier; an audit of another one says nothing of its scores."""
    found = lake.rows("newest_classifier")
    scorer = found[0]["version"] if found else ""
    rows = lake.rows("card_audit", {"scorer": scorer})
    version = lake.version("score_audit", UNPARTITIONED)
    return audit_of_rows(rows, version.snapshot_id) if rows and version else not_audited(scorer)
