"""Labels by an oracle: a language model asked with the rubric about a sample of documents (SP section 3.1).

The paper uses a large model's labels to train the classifier. Each answer is JSON; one that cannot be read is asked
for once more with what was wrong, and stays without a score after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from resources.lake import UNPARTITIONED, Lake
from resources.language_model import LanguageModel
from safety_assets.annotation.rubric import RUBRIC, Verdict, parse_verdict, rubric_prompt, verdict_sampling
from safety_assets.annotation.seeds import split_of
from safety_assets.generation import AnswerStore, Ask, Usage, generate
from safety_assets.harms import HarmCategory, ScoreState

__all__ = ["ask_verdicts", "oracle_rows"]


def oracle_rows(
    lake: Lake, sample_size: int, model: LanguageModel, store: AnswerStore, usage: Usage, *, max_chars: int
) -> Iterator[dict[str, Any]]:
    """Rows of ``safety_annotations`` for a sample of the documents in the lake.

    The sample is drawn by the hash of the text: the same documents whatever the sharding, and none twice. The rubric
    gives no category, so unsafe documents are filed under ``other``.
    """
    documents = lake.rows("documents_by_text_hash", {"count": sample_size})
    verdicts = ask_verdicts(
        [(row["document_id"], row["text"]) for row in documents], model, store, usage, max_chars
    )
    for row, verdict in zip(documents, verdicts, strict=True):
        yield {
            "shard": UNPARTITIONED,
            "annotation_id": row["text_hash"],
            "text": row["text"],
            "text_hash": row["text_hash"],
            "score": verdict.score,
            "category": (HarmCategory.OTHER if verdict.score else HarmCategory.NONE).value,
            "split": split_of(row["text_hash"]),
            "state": verdict.state.value,
            "labeller": model.name,
            "labeller_version": f"{model.revision} {RUBRIC.version}",
        }


def ask_verdicts(
    documents: Iterable[tuple[str, str]],
    model: LanguageModel,
    store: AnswerStore,
    usage: Usage,
    max_chars: int,
) -> list[Verdict]:
    """A JSON verdict on each (id, text), in order; unreadable answers are asked for once more.

    Raises:
        LanguageModelError: the model cannot be used at all; finished answers stay committed.
    """
    documents = list(documents)
    verdicts: list[Verdict | None] = [None] * len(documents)
    for attempt in range(2):
        pending = [
            index for index, verdict in enumerate(verdicts) if verdict is None or _worth_asking(verdict)
        ]
        asks = [
            Ask(
                documents[index][0],
                RUBRIC.version,
                rubric_prompt(
                    documents[index][1], max_chars=max_chars, fault=getattr(verdicts[index], "fault", None)
                ),
                verdict_sampling(attempt),
            )
            for index in pending
        ]
        for index, (_, completion) in zip(pending, generate(asks, model, store, usage), strict=True):
            verdicts[index] = parse_verdict(completion)
    return [verdict or Verdict(ScoreState.MISSING) for verdict in verdicts]


def _worth_asking(verdict: Verdict) -> bool:
    return verdict.state in (ScoreState.PARSE_FAILED, ScoreState.TRUNCATED, ScoreState.REFUSED)
