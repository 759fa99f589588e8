"""Synthesis and the lake: scored documents out of it, synthetic rows into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.lake import Lake, PartitionVersion
from resources.language_model import LanguageModel
from resources.profile import GenerationProfile
from safety_assets.harms import FIRST_REFUSED_LEVEL, FIRST_UNSAFE_LEVEL, LEVELS
from safety_assets.synthesis.moralise import ARTICLE, Article, RefusedDialogue, dialogue_hash
from safety_assets.synthesis.recontextualise import RETELLING, Retelling
from safety_assets.synthesis.records import SourceDocument, SynthesisSettings
from safety_assets.synthesis.refuse import REQUEST, RESPONSE, Dialogue

__all__ = [
    "article_row",
    "dialogue_row",
    "dialogues_to_moralise",
    "documents_to_refuse",
    "documents_to_rephrase",
    "retelling_row",
    "synthesis_settings",
]

Versions = Mapping[str, PartitionVersion]
Row = dict[str, Any]


def synthesis_settings(profile: GenerationProfile) -> SynthesisSettings:
    """The profile's sizes as synthesis takes them."""
    return SynthesisSettings(**profile.model_dump())


def documents_to_rephrase(lake: Lake, versions: Versions, partition: str) -> Iterator[SourceDocument]:
    """Documents scored 1-3, in the order of the shard, at exactly these versions."""
    return _documents(lake, versions, partition, FIRST_UNSAFE_LEVEL, FIRST_REFUSED_LEVEL - 1)


def documents_to_refuse(lake: Lake, versions: Versions, partition: str) -> Iterator[SourceDocument]:
    """Documents scored 4-5, in the order of the shard, at exactly these versions."""
    return _documents(lake, versions, partition, FIRST_REFUSED_LEVEL, LEVELS[-1])


def dialogues_to_moralise(lake: Lake, versions: Versions, partition: str) -> Iterator[RefusedDialogue]:
    """Accepted dialogues at exactly this version."""
    with lake.report("accepted_dialogues", {"partition": partition}, versions=versions) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                said = {turn["role"]: turn["content"] for turn in row["turns"]}
                yield RefusedDialogue(
                    row["document_id"], row["source_score"], row["harm"], said["user"], said["assistant"]
                )


def retelling_row(partition: str, retelling: Retelling, model: LanguageModel, tokens: int | None) -> Row:
    """A row of ``safeweb``."""
    source = retelling.source
    return _source_columns(partition, source) | {
        "style": retelling.style,
        "state": retelling.state,
        "text": retelling.text,
        "tokens": tokens,
        "score_after": retelling.score_after,
        "highest_sentence_score": retelling.highest_sentence_score,
        "attempts": retelling.attempts,
        "rejected_answers": list(retelling.rejected_answers),
        **_model_columns(model, RETELLING.version),
    }


def dialogue_row(partition: str, dialogue: Dialogue, model: LanguageModel, tokens: int | None) -> Row:
    """A row of ``refuseweb``; turns are stored as they were said, roles unnamed."""
    turns = dialogue.turns
    return _source_columns(partition, dialogue.source) | {
        "harm": dialogue.harm,
        "confirmation": dialogue.confirmation,
        "state": dialogue.state,
        "turns": [{"role": turn.role, "content": turn.content} for turn in turns] if turns else None,
        "tokens": tokens,
        "score_after": dialogue.score_after,
        "attempts": dialogue.attempts,
        "rejected_answers": list(dialogue.rejected_answers),
        **_model_columns(model, f"{REQUEST.version} {RESPONSE.version}"),
    }


def article_row(partition: str, article: Article, model: LanguageModel, tokens: int | None) -> Row:
    """A row of ``moral_education``."""
    return {
        "shard": partition,
        "document_id": article.source.document_id,
        "dialogue_hash": dialogue_hash(article.source),
        "source_score": article.source.score,
        "harm": article.source.harm,
        "state": article.state,
        "title": article.title,
        "text": article.text,
        "tokens": tokens,
        "score_after": article.score_after,
        "highest_sentence_score": article.highest_sentence_score,
        "attempts": article.attempts,
        "rejected_answers": list(article.rejected_answers),
        **_model_columns(model, ARTICLE.version),
    }


def _documents(
    lake: Lake, versions: Versions, partition: str, lowest: int, highest: int
) -> Iterator[SourceDocument]:
    parameters = {"partition": partition, "lowest": int(lowest), "highest": int(highest)}
    with lake.report("documents_between_scores", parameters, versions=versions, batch_rows=64) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                yield SourceDocument(
                    document_id=row["document_id"],
                    text=row["text"],
                    text_hash=row["text_hash"],
                    score=row["safety_score"],
                    category=row["category"],
                    tokens=row["tokens"],
                )


def _source_columns(partition: str, source: SourceDocument) -> Row:
    return {
        "shard": partition,
        "document_id": source.document_id,
        "source_text_hash": source.text_hash,
        "source_score": source.score,
        "source_tokens": source.tokens,
    }


def _model_columns(model: LanguageModel, template: str) -> Row:
    return {"template": template, "model": model.name, "model_revision": model.revision}
