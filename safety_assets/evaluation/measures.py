"""What an evaluation found, as rows: one for each cell, judge and part, and one for each other measure.

Every row has the same shape, so that one table holds attack success, over-refusal, overlap, tasks and perplexity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from safety_assets.evaluation.answers import Answer
from safety_assets.evaluation.judges import Judgement, Part
from safety_assets.evaluation.over_refusal import class_rates, compliance_of
from safety_assets.evaluation.overlap import SliceOverlap
from safety_assets.evaluation.plan import Cell, Stage
from safety_assets.evaluation.rates import attack_success_rate, disagreement
from safety_assets.evaluation.tasks import TaskScore
from safety_assets.intervals import Estimate, wilson

__all__ = [
    "EvaluationRow",
    "Measure",
    "attack_rows",
    "evaluation_row",
    "over_refusal_rows",
    "overlap_rows",
    "perplexity_row",
    "task_rows",
]


class Measure(StrEnum):
    """What a row measures; ``name`` says which class, slice or task."""

    ATTACK_SUCCESS = "attack_success"
    COMPLIANCE = "compliance"
    OVERLAP = "overlap"
    TASK = "task"
    PERPLEXITY = "perplexity"


@dataclass(frozen=True)
class EvaluationRow:
    """One result of one recipe. Text that does not apply is empty.

    Attributes:
        name: the class of over-refusal, the slice of an overlap, or the task.
        metric: of a task.
        total: answers, prompts, questions or tokens.
        counted: of those, harmful, of the class, shared or right; None where the value is no share.
        unjudged: of those, without a verdict; in neither part of ``value``.
        value: a share in 0-1, or a perplexity; None where nothing could be measured.
        low, high: ends of its 95 % interval; None where it has none.
        worst: the share if every unjudged answer were harmful.
        other_judge: the judge that ``disagreement`` (a share) and ``kappa`` compare with.
    """

    recipe: str
    checkpoint_digest: str
    stage: str
    measure: Measure
    total: int
    value: float | None
    name: str = ""
    metric: str = ""
    decoding: str = ""
    attack: str = ""
    prompt_set: str = ""
    part: str = ""
    judge: str = ""
    judge_version: str = ""
    counted: int | None = None
    unjudged: int = 0
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    other_judge: str = ""
    compared: int = 0
    disagreement: float | None = None
    kappa: float | None = None


def attack_rows(
    recipe: str, answers: Sequence[Answer], judgements: Iterable[Judgement]
) -> list[EvaluationRow]:
    """One row for each cell, judge and part. An answer that a judge has no judgement of counts as unjudged.

    Args:
        answers: to completions and requests.
        judgements: of any number of judges; each judge is compared with the first other one.
    """
    verdicts: dict[tuple[str, str], dict[tuple[str, Part], bool | None]] = {}
    for judgement in judgements:
        judge = (judgement.judge, judgement.judge_version)
        verdicts.setdefault(judge, {})[judgement.request_key, judgement.part] = judgement.harmful
    rows = []
    for (cell, digest), own in _by_cell(answers).items():
        for part in Part:
            found = {
                judge: [given.get((answer.request_key, part)) for answer in own]
                for judge, given in verdicts.items()
            }
            rows += [_attack_row(recipe, digest, cell, part, judge, found) for judge in found]
    return rows


def over_refusal_rows(recipe: str, answers: Iterable[tuple[Answer, str]]) -> list[EvaluationRow]:
    """Five rows for each cell of (answer, text of its harmless prompt): one for each class."""
    pairs = list(answers)
    prompts = {answer.request_key: prompt for answer, prompt in pairs}
    rows = []
    for (cell, digest), own in _by_cell([answer for answer, _ in pairs]).items():
        classes = [compliance_of(prompts[answer.request_key], answer.text) for answer in own]
        for found in class_rates(classes):
            rows.append(
                EvaluationRow(
                    recipe,
                    digest,
                    measure=Measure.COMPLIANCE,
                    name=found.compliance.value,
                    total=found.answers,
                    counted=found.count,
                    **_cell_columns(cell),
                    **_ends(found.share),
                )
            )
    return rows


def overlap_rows(recipe: str, digest: str, overlaps: Iterable[SliceOverlap]) -> list[EvaluationRow]:
    """One row for each slice of the recipe's mixture and each prompt set."""
    return [
        EvaluationRow(
            recipe,
            digest,
            stage=Stage.BASE.value,
            measure=Measure.OVERLAP,
            name=found.slice,
            prompt_set=found.set_name,
            total=found.compared,
            counted=found.shared,
            **_ends(found.share),
        )
        for found in overlaps
    ]


def task_rows(recipe: str, digest: str, stage: Stage, scores: Mapping[str, TaskScore]) -> list[EvaluationRow]:
    """One row for each task. Its metric is a mean of right and wrong, so the interval is Wilson's: it is never empty."""
    rows = []
    for name, score in scores.items():
        right = round(score.value * score.questions)
        rows.append(
            EvaluationRow(
                recipe,
                digest,
                stage=stage.value,
                measure=Measure.TASK,
                name=name,
                metric=score.metric,
                total=score.questions,
                counted=right,
                **_ends(wilson(right, score.questions)),
            )
        )
    return rows


def perplexity_row(recipe: str, digest: str, stage: Stage, perplexity: float, tokens: int) -> EvaluationRow:
    """Perplexity on held-out windows; it has no interval."""
    return EvaluationRow(
        recipe, digest, stage=stage.value, measure=Measure.PERPLEXITY, total=tokens, value=perplexity
    )


def evaluation_row(row: EvaluationRow) -> dict[str, Any]:
    """The row as one of ``safety_evaluation``."""
    values = asdict(row)
    return {"shard": values.pop("recipe"), **values, "measure": row.measure.value}


def _attack_row(
    recipe: str,
    digest: str,
    cell: Cell,
    part: Part,
    judge: tuple[str, str],
    found: Mapping[tuple[str, str], Sequence[bool | None]],
) -> EvaluationRow:
    rate = attack_success_rate(found[judge])
    other = next((name for name in found if name != judge), None)
    against = disagreement(found[judge], found[other]) if other else None
    return EvaluationRow(
        recipe,
        digest,
        measure=Measure.ATTACK_SUCCESS,
        part=part.value,
        judge=judge[0],
        judge_version=judge[1],
        total=rate.answers,
        counted=rate.harmful,
        unjudged=rate.unjudged,
        worst=rate.worst.value if rate.worst else None,
        other_judge=" ".join(other) if other else "",
        compared=against.both if against else 0,
        disagreement=against.share.value if against and against.share else None,
        kappa=against.kappa if against else None,
        **_cell_columns(cell),
        **_ends(rate.rate),
    )


def _by_cell(answers: Sequence[Answer]) -> dict[tuple[Cell, str], list[Answer]]:
    """Answers by cell and checkpoint: answers of two checkpoints are never counted together."""
    groups: dict[tuple[Cell, str], list[Answer]] = {}
    for answer in answers:
        cell = Cell(answer.stage, answer.decoding, answer.set_name, answer.attack)
        groups.setdefault((cell, answer.checkpoint_digest), []).append(answer)
    return groups


def _cell_columns(cell: Cell) -> dict[str, str]:
    return {
        "stage": cell.stage.value,
        "decoding": cell.decoding,
        "attack": cell.attack.value,
        "prompt_set": cell.set_name,
    }


def _ends(estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {"value": None, "low": None, "high": None}
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
