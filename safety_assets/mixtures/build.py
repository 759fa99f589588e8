"""Building a mixture: slices are rendered and packed one after another, and land at the positions of the plan.

Memory stays flat: texts stream, windows go to a spool file as they are packed, and the lake sorts them by position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from safety_assets.batches import groups
from safety_assets.mixtures.pack import Source, Window, pack
from safety_assets.mixtures.plan import MixtureSettings, plan_mixture, positions_of, split_of
from safety_assets.mixtures.recipes import MixtureError, Recipe
from safety_assets.mixtures.sources import Texts
from safety_assets.rendering.renderer import Rendered, Renderer

__all__ = ["SliceActual", "build_mixture"]

# Held-out text is the same for every recipe: safe web text.
VALIDATION_SLICE = "safe_web"
TRAIN, VALIDATION = "train", "validation"
WINDOWS_AT_ONCE = 64


@dataclass(frozen=True)
class SliceActual:
    """Plan against actual of one slice in one phase.

    Attributes:
        documents: different texts that were drawn from.
        epoch_tokens: of the whole slice, once; None where its text was not used up.
        epochs: how often the slice was gone through; 1 where its text was not used up.
    """

    phase: str
    slice: str
    share: float
    planned_tokens: int
    actual_tokens: int
    documents: int
    epoch_tokens: int | None
    epochs: float


class _Tally:
    """What was drawn from a slice so far."""

    def __init__(self) -> None:
        self.documents = 0
        self.drawn = 0
        self.epoch_tokens: int | None = None

    @property
    def epochs(self) -> float:
        return self.drawn / self.epoch_tokens if self.epoch_tokens else 1.0


def build_mixture(
    recipe: Recipe,
    settings: MixtureSettings,
    texts: Texts,
    renderer: Renderer,
    spool: Path,
    schema: pa.Schema,
    progress: Callable[[int], None] | None = None,
) -> list[SliceActual]:
    """Write all windows of a recipe to ``spool``, a Parquet file in the schema of ``tokenized_mixture``.

    A slice whose text does not suffice for its budget even when repeated leaves the rest to the recipe's first slice.
    The windows lie slice by slice; ``position`` says where each stands in the training.

    Args:
        progress: told the number of windows so far.

    Raises:
        MixtureError: the first slice has not enough text either.
    """
    plans = plan_mixture(recipe, settings)
    positions = positions_of(plans, settings.seed)
    names = [name for name in dict.fromkeys(plan.name for plan in plans) if name != recipe.ground]
    actuals: list[SliceActual] = []
    left_over: list[tuple[int, str]] = []
    written = 0
    with pq.ParquetWriter(spool, schema) as writer:

        def write(rows: Iterable[dict[str, Any]]) -> int:
            nonlocal written
            before = written
            for group in groups(rows, WINDOWS_AT_ONCE):
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
                written += len(group)
                if progress:
                    progress(written)
            return written - before

        for name in [*names, recipe.ground]:
            places = [
                (int(position), phase)
                for (phase, own), found in positions.items()
                if own == name
                for position in found
            ]
            if name == recipe.ground:
                places = sorted(places + left_over)
            tally = _Tally()
            windows = pack(_stream(texts, name, TRAIN, settings, renderer, tally), settings.context + 1)
            count = write(_rows(recipe.name, TRAIN, name, places, windows))
            unfilled = places[count:]
            if unfilled and (name == recipe.ground or any(phase == "before" for _, phase in unfilled)):
                raise MixtureError(_too_little(recipe, name, len(places), count, settings))
            left_over += unfilled
            actuals += _actuals(recipe, name, places[:count], plans, tally, settings)
        held_out = _stream(
            texts, VALIDATION_SLICE, VALIDATION, replace(settings, max_epochs=1), renderer, _Tally()
        )
        places = [(settings.windows + number, "validation") for number in range(settings.validation_windows)]
        write(_rows(recipe.name, VALIDATION, VALIDATION_SLICE, places, pack(held_out, settings.context + 1)))
    return actuals


def _stream(
    texts: Texts, name: str, split: str, settings: MixtureSettings, renderer: Renderer, tally: _Tally
) -> Iterator[tuple[Source, Rendered]]:
    """Texts of a slice and split, epoch after epoch, each epoch in an order of its own."""
    for epoch in range(settings.max_epochs):
        for batch in texts.texts(name, epoch):
            kept = [
                text for text in batch if split_of(text.source.text_hash, settings.validation_share) == split
            ]
            for text, rendered in zip(kept, renderer.render([text.pieces for text in kept]), strict=True):
                tally.documents += epoch == 0
                tally.drawn += len(rendered)
                yield text.source, rendered
        if epoch == 0:
            tally.epoch_tokens = tally.drawn
        if not tally.drawn:
            return


def _rows(
    recipe: str, split: str, name: str, places: list[tuple[int, str]], windows: Iterator[Window]
) -> Iterator[dict[str, Any]]:
    for (position, phase), window in zip(places, windows, strict=False):
        yield {
            "shard": recipe,
            "position": position,
            "split": split,
            "phase": phase,
            "slice": name,
            "token_ids": window.token_ids,
            "loss_mask": window.loss_mask,
            "spans": window.spans,
        }


def _actuals(
    recipe: Recipe,
    name: str,
    filled: list[tuple[int, str]],
    plans: list,
    tally: _Tally,
    settings: MixtureSettings,
) -> Iterator[SliceActual]:
    length = settings.context + 1
    for plan in plans:
        if plan.name == name:
            count = sum(1 for _ in islice((phase for _, phase in filled if phase == plan.phase), None))
            yield SliceActual(
                phase=plan.phase,
                slice=name,
                share=recipe.slices.get(name, 1.0) if plan.phase == "recipe" else 1.0,
                planned_tokens=plan.windows * length,
                actual_tokens=count * length,
                documents=tally.documents,
                epoch_tokens=tally.epoch_tokens,
                epochs=tally.epochs,
            )


def _too_little(recipe: Recipe, name: str, wanted: int, count: int, settings: MixtureSettings) -> str:
    length = settings.context + 1
    return (
        f"Recipe {recipe.name} needs {wanted * length:,} tokens of slice {name}, and there are "
        f"{count * length:,} even in {settings.max_epochs} epochs: materialise more shards, or lower "
        "mixture.tokens or raise mixture.max_epochs in the profile."
    )
