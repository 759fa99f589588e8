"""One recipe's mixture, from the lake into the lake."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from resources.lake import Lake, PartitionVersion, Provenance
from resources.profile import MixtureProfile
from safety_assets.audit.run_audit import found_wanting
from safety_assets.batches import record_batches
from safety_assets.mixtures.build import SliceActual, build_mixture
from safety_assets.mixtures.general import GeneralCorpora
from safety_assets.mixtures.plan import MixtureSettings
from safety_assets.mixtures.recipes import MixtureError, Recipe, load_recipes, with_general
from safety_assets.mixtures.sources import TABLES, LakeTexts
from safety_assets.rendering.renderer import Renderer
from safety_assets.rendering.tokenizer import TextTokenizer, open_tokenizer

__all__ = ["inputs_of", "mix", "mixture_settings", "mixture_tokenizer", "recipe_of"]

# Read by every recipe, for the held-out windows.
VALIDATION_TABLES = ("fineweb", "scored_fineweb")
# What an audit of the scores is about.
MADE_OF_HIGH_SCORES = {"refuseweb", "moral_education"}


def recipe_of(name: str, profile: MixtureProfile) -> Recipe:
    """A recipe with the profile's general corpora.

    Raises:
        MixtureError: no such recipe, or recipes that cannot be read.
    """
    recipes = load_recipes(profile.recipes)
    if name not in recipes:
        raise MixtureError(f"There is no recipe {name}: known are {', '.join(recipes)}.")
    return with_general(recipes[name], {name: corpus.share for name, corpus in profile.general.items()})


def inputs_of(recipe: Recipe, lake: Lake, *, overriding: bool = False) -> tuple[list[tuple[str, str]], int]:
    """(table, shard) pairs that the recipe reads, and how many shards are left out.

    Read is every shard that has been through all tables of the recipe and passed their gates as it is now: one bad
    shard among thousands does not hold up the others, and is not read. A recipe with refusals leaves out shards whose
    scores an audit found wanting as well.

    Args:
        overriding: shards that failed a gate are named too; reading them takes a reason.

    Raises:
        MixtureError: no shard is left.
    """
    tables = {table for name in recipe.slices for table in TABLES.get(name, ())}
    wanted = sorted(tables.union(VALIDATION_TABLES))
    shards = [row["shard"] for row in lake.rows("mixture_shards", {"tables": wanted})]
    pairs = [(table, shard) for table in wanted for shard in shards]
    bad = set() if overriding else {shard for _, shard in lake.failing_gates(pairs)}
    if not overriding and MADE_OF_HIGH_SCORES & tables and (scorer := found_wanting(lake)):
        bad |= {row["shard"] for row in lake.rows("shards_scored_by", {"scorer": scorer})} & set(shards)
    kept = [(table, shard) for table, shard in pairs if shard not in bad]
    if not kept:
        raise MixtureError(
            f"No shard has been through {', '.join(wanted)} and passed their checks yet ({len(bad)} failed some): "
            "materialise these first (job data_half)."
        )
    return kept, len(bad)


def mixture_settings(profile: MixtureProfile) -> MixtureSettings:
    """The profile's sizes as a plan takes them."""
    return MixtureSettings(
        tokens=profile.tokens,
        context=profile.context,
        seed=profile.seed,
        validation_share=profile.validation_share,
        validation_windows=profile.validation_windows,
        interventions_start=profile.interventions_start,
        max_epochs=profile.max_epochs,
    )


def mixture_tokenizer(profile: MixtureProfile, cache: Path) -> TextTokenizer:
    """The tokenizer that the profile names."""
    return open_tokenizer(profile.tokenizer, cache=cache, revision=profile.tokenizer_revision)


def mix(
    recipe: Recipe,
    profile: MixtureProfile,
    lake: Lake,
    inputs: Sequence[tuple[str, str]],
    versions: Mapping[str, PartitionVersion],
    tokenizer: TextTokenizer,
    provenance: Provenance,
    *,
    cache: Path,
    progress: Callable[[int], None] | None = None,
) -> tuple[PartitionVersion, list[SliceActual]]:
    """Replace the recipe's windows and its plan-versus-actual table, in one transaction.

    Raises:
        MixtureError: not enough text for the budget.
        LakeError: the lake cannot be read or written; it is left as it was.
    """
    shards = sorted({shard for _, shard in inputs})
    general = GeneralCorpora({name: corpus.source for name, corpus in profile.general.items()}, cache)
    texts = LakeTexts(lake, shards, versions, general, profile.seed)
    with tempfile.TemporaryDirectory(prefix="mixture-") as folder:
        spool = Path(folder) / "windows.parquet"
        actuals = build_mixture(
            recipe,
            mixture_settings(profile),
            texts,
            Renderer(tokenizer),
            spool,
            lake.schema("tokenized_mixture"),
            progress,
        )
        rows = ({"shard": recipe.name, **asdict(actual)} for actual in actuals)
        written = lake.replace_partitions(
            {
                "tokenized_mixture": _sorted(lake, spool),
                "mixture_plan": record_batches(rows, lake.schema("mixture_plan")),
            },
            provenance,
        )
    return written["tokenized_mixture"], actuals


def _sorted(lake: Lake, spool: Path) -> Iterator[pa.RecordBatch]:
    with lake.report("windows_in_order", {"file": str(spool)}) as reader:
        yield from reader
