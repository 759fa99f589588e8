"""Examining one recipe's checkpoints: answers, judgements, and every other measure, as rows of ``safety_evaluation``.

Answers are kept under keys of what shapes them, so that a rerun, or another judge, asks the models nothing again.
Imports the model libraries through what it calls: import this where a step needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.lake import Lake, PartitionVersion
from resources.profile import EvaluationProfile
from safety_assets.decoding.causal_model import CausalModel, open_causal_model
from safety_assets.decoding.decode import decode
from safety_assets.decoding.settings import Decoding, Strategy
from safety_assets.evaluation.answers import Answer, AnswerRequest, AnswerStore, RawAnswer, generate_answers
from safety_assets.evaluation.judges import Judge, Judgement, judge_answers
from safety_assets.evaluation.measures import (
    EvaluationRow,
    attack_rows,
    over_refusal_rows,
    overlap_rows,
    perplexity_row,
    task_rows,
)
from safety_assets.evaluation.overlap import prompt_overlap
from safety_assets.evaluation.plan import Cell, Stage, cell_prompts, plan_cells
from safety_assets.evaluation.prompt_sets import EvaluationPrompt, PromptKind, load_prompt_set
from safety_assets.evaluation.tasks import run_tasks
from safety_assets.rendering.formats import chat_prompt, completion_prompt
from safety_assets.rendering.renderer import Renderer
from safety_assets.rendering.tokenizer import TextTokenizer
from safety_assets.training.checkpoints import Checkpoint

__all__ = ["Examination", "Examined", "prompt_sets_of", "slice_texts"]

SAFE_BEAM = Strategy.SAFE_BEAM.value
PACKAGED = "packaged"
PACKAGED_NAMES = {
    PromptKind.COMPLETION: "completions",
    PromptKind.REQUEST: "requests",
    PromptKind.BENIGN: "benign_sounding_harmful",
}


@dataclass(frozen=True)
class Examined:
    """What came of it: rows for ``safety_evaluation``, judgements, and answers asked of the models just now."""

    rows: list[EvaluationRow]
    judgements: list[Judgement]
    cells: list[tuple[Cell, int, int]]
    asked: int


def prompt_sets_of(profile: EvaluationProfile) -> dict[str, list[EvaluationPrompt]]:
    """The profile's prompt sets by name.

    Raises:
        PromptSetError: a set that cannot be read.
    """
    chosen = {
        PromptKind.COMPLETION: profile.completions,
        PromptKind.REQUEST: profile.requests,
        PromptKind.BENIGN: profile.benign,
    }
    sets = {}
    for kind, source in chosen.items():
        packaged = source == PACKAGED
        prompts = load_prompt_set(
            PACKAGED_NAMES[kind] if packaged else source, kind=kind, limit=profile.max_prompts
        )
        sets[prompts[0].set_name] = prompts
    return sets


class Examination:
    """One recipe's checkpoints under one profile.

    Args:
        checkpoints: by stage.
        judges: each gives its own verdicts.
        progress: told what is being done, in a few words without any text of a prompt or answer.
    """

    def __init__(
        self,
        recipe: str,
        checkpoints: Mapping[Stage, Checkpoint],
        profile: EvaluationProfile,
        tokenizer: TextTokenizer,
        store: AnswerStore,
        judges: Sequence[Judge],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._recipe, self._checkpoints, self._profile = recipe, checkpoints, profile
        self._tokenizer, self._renderer = tokenizer, Renderer(tokenizer)
        self._store, self._judges, self._progress = store, judges, progress
        self._asked = 0

    def run(self, slices: Mapping[str, Iterator[str]], validation_tokens: int) -> Examined:
        """Everything the profile asks for.

        Args:
            slices: texts of each slice that the models were trained on, for the overlap with the prompts.
            validation_tokens: behind the base model's held-out perplexity.
        """
        sets = prompt_sets_of(self._profile)
        base = self._checkpoints[Stage.BASE]
        decodings = (self._profile.decoding, SAFE_BEAM)
        answers: list[tuple[Answer, EvaluationPrompt]] = []
        cells = []
        for cell in plan_cells(sets, decodings, has_tag=base.has_tag, stages=tuple(self._checkpoints)):
            self._progress(str(cell))
            own = list(self._answers(cell, sets))
            cells.append((cell, len(cell_prompts(cell, sets)), len(own)))
            answers += own
        rows, judgements = self._judged(answers)
        prompts = [prompt for own in sets.values() for prompt in own]
        self._progress("overlap of the prompts with the training texts")
        rows += overlap_rows(self._recipe, base.version, prompt_overlap(prompts, slices))
        rows += self._abilities(validation_tokens)
        return Examined(rows, judgements, cells, self._asked)

    def _answers(
        self, cell: Cell, sets: Mapping[str, Sequence[EvaluationPrompt]]
    ) -> Iterator[tuple[Answer, EvaluationPrompt]]:
        checkpoint = self._checkpoints[cell.stage]
        decoding = self._decoding(cell.decoding)
        pairs = cell_prompts(cell, sets)
        requests = [
            AnswerRequest(cell, prompt, prefill, tuple(rendered.ids.tolist()))
            for (prompt, prefill), rendered in zip(
                pairs,
                self._renderer.render([_pieces(cell.stage, prompt, prefill) for prompt, prefill in pairs]),
                strict=True,
            )
        ]

        def ask(prompts: Sequence[Sequence[int]]) -> list[RawAnswer]:
            self._asked += len(prompts)
            model = _model(checkpoint.export, self._profile.device, checkpoint.has_tag)
            return [
                RawAnswer(self._tokenizer.decode(found.token_ids), len(found.token_ids), found.finish)
                for found in decode(model, prompts, decoding)
            ]

        answers = generate_answers(
            requests,
            ask,
            self._store,
            checkpoint_digest=checkpoint.version,
            settings=decoding.shaping(),
        )
        yield from zip(answers, (prompt for prompt, _ in pairs), strict=True)

    def _decoding(self, name: str) -> Decoding:
        return Decoding(
            strategy=Strategy(name),
            max_new_tokens=self._profile.max_new_tokens,
            beams=self._profile.beams,
            candidates=self._profile.candidates,
            top_k=self._profile.top_k,
            temperature=self._profile.temperature,
        )

    def _judged(
        self, answers: Sequence[tuple[Answer, EvaluationPrompt]]
    ) -> tuple[list[EvaluationRow], list[Judgement]]:
        attacks = [
            (answer, prompt.text) for answer, prompt in answers if prompt.kind is not PromptKind.BENIGN
        ]
        harmless = [(answer, prompt.text) for answer, prompt in answers if prompt.kind is PromptKind.BENIGN]
        judgements: list[Judgement] = []
        for judge in self._judges:
            self._progress(f"judge {judge.name}")
            judgements += judge_answers(attacks, judge)
        rows = attack_rows(self._recipe, [answer for answer, _ in attacks], judgements)
        return rows + over_refusal_rows(self._recipe, harmless), judgements

    def _abilities(self, validation_tokens: int) -> list[EvaluationRow]:
        rows = []
        for stage, checkpoint in self._checkpoints.items():
            if stage is Stage.BASE and checkpoint.validation_perplexity is not None:
                rows.append(
                    perplexity_row(
                        self._recipe,
                        checkpoint.version,
                        stage,
                        checkpoint.validation_perplexity,
                        validation_tokens,
                    )
                )
            if self._profile.tasks and stage in (Stage.BASE, Stage.FINETUNED):
                self._progress(f"tasks of the {stage} model")
                scores = run_tasks(
                    checkpoint.export,
                    self._profile.tasks,
                    data_folder=self._profile.tasks_folder,
                    device=self._profile.device,
                    limit=self._profile.task_limit,
                )
                rows += task_rows(self._recipe, checkpoint.version, stage, scores)
        return rows


def slice_texts(lake: Lake, mixture: PartitionVersion, tokenizer: TextTokenizer) -> dict[str, Iterator[str]]:
    """The windows of each slice of a mixture as text, streamed."""
    parameters = {"recipe": mixture.partition}
    versions = {mixture.table: mixture}
    with lake.report("mixture_slices", parameters, versions=versions) as reader:
        names = reader.read_all().column("slice").to_pylist()

    def texts(name: str) -> Iterator[str]:
        with lake.report(
            "mixture_slice_windows", parameters | {"slice": name}, versions=versions, batch_rows=256
        ) as windows:
            for batch in windows:
                for ids in batch.column("token_ids").to_pylist():
                    yield tokenizer.decode(ids)

    return {name: texts(name) for name in names}


def _pieces(stage: Stage, prompt: EvaluationPrompt, prefill: str):
    if stage is Stage.BASE:
        return completion_prompt(prompt.text + prefill)
    return chat_prompt([("user", prompt.text)], prefill=prefill)


@functools.lru_cache(maxsize=3)
def _model(folder: Path, device: str, has_tag: bool) -> CausalModel:
    # Every model of the project has the tag in its vocabulary; only some were trained with it.
    return open_causal_model(folder, device=device, has_tag=has_tag)
