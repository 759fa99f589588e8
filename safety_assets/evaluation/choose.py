"""The judges that a profile names, with what they need."""

from __future__ import annotations

from collections.abc import Sequence

from resources.lake import Lake
from resources.model_resources import ModelsResource
from safety_assets.evaluation.errors import JudgeError
from safety_assets.evaluation.judges import ClassifierJudge, Judge, RefusalPrefixJudge
from safety_assets.evaluation.llm_judge import LlmJudge
from safety_assets.generation import AnswerStore, Usage
from safety_assets.scoring.scorer import open_scorer

__all__ = ["open_judges"]


def open_judges(
    names: Sequence[str], lake: Lake, models: ModelsResource, store: AnswerStore, usage: Usage
) -> list[Judge]:
    """Judges by name: ``refusal_prefix``, ``classifier``, ``llm``.

    Raises:
        JudgeError: another name, or none.
        LakeError: there is no classifier yet.
    """
    judges: list[Judge] = []
    for name in dict.fromkeys(names):
        match name:
            case "refusal_prefix":
                judges.append(RefusalPrefixJudge())
            case "classifier":
                scorer = open_scorer(lake, models, store, usage)
                judges.append(ClassifierJudge(scorer.sentences, scorer.embedding_version))
            case "llm":
                judges.append(LlmJudge(models.language_model(), store, usage))
            case _:
                raise JudgeError(f"There is no judge {name!r}: choose refusal_prefix, classifier or llm.")
    if not judges:
        raise JudgeError("No judge is named: choose refusal_prefix, classifier or llm.")
    return judges
