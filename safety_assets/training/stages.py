"""The three trainings of a recipe: pretraining on its mixture, instruction tuning, benign finetuning (SP section 5).

Imports the model libraries: import this where a step needs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.lake import Lake, PartitionVersion
from resources.profile import Profile
from safety_assets.mixtures.mix import mixture_tokenizer, recipe_of
from safety_assets.rendering.pieces import Control, Piece
from safety_assets.rendering.renderer import Renderer
from safety_assets.training.chat_data import load_chats, load_problems
from safety_assets.training.checkpoints import Checkpoint, make_checkpoint
from safety_assets.training.data import Examples, Windows, write_windows
from safety_assets.training.models import MODELS, model_config
from safety_assets.training.trainer import LossPoint, TrainingSettings
from safety_assets.training.tuning import finetuning_texts, held_out, tuning_texts

__all__ = ["Workshop", "finetune", "pretrain", "read_checkpoint", "tune"]

Progress = Callable[[LossPoint, int], None]
# Of tuning data, held out for perplexity.
HELD_OUT = 0.05


@dataclass(frozen=True)
class Workshop:
    """Where trainings happen, and with which settings.

    Attributes:
        checkpoints: folder of all checkpoints.
        models: cache of packaged models, for their tokenizers.
        downloads: folder that chat data is fetched to.
    """

    profile: Profile
    checkpoints: Path
    models: Path
    downloads: Path

    def home(self, recipe: str, stage: str) -> Path:
        """Of all trainings of a recipe's stage."""
        return self.checkpoints / recipe / stage


def pretrain(
    lake: Lake, mixture: PartitionVersion, workshop: Workshop, progress: Progress | None = None
) -> Checkpoint:
    """Train a model from scratch on exactly this version of a recipe's mixture.

    Raises:
        TrainingError, LakeError: see what they say.
    """
    profile, recipe = workshop.profile, mixture.partition
    tokenizer = mixture_tokenizer(profile.mixture, workshop.models)
    config = _config(profile, tokenizer)
    chosen = profile.pretraining
    settings = TrainingSettings(
        peak_rate=chosen.peak_rate or MODELS[chosen.model].peak_rate,
        micro_batch=chosen.micro_batch,
        accumulation=chosen.accumulation,
        warmup_share=chosen.warmup_share,
        decay_share=chosen.decay_share,
        precision=chosen.precision,
        devices=chosen.devices,
        strategy=chosen.strategy,
        compile=chosen.compile,
        seed=chosen.seed,
        save_every_steps=chosen.save_every_steps,
    )
    home = workshop.home(recipe, "base")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="windows-", dir=home) as folder:
        rows, held = (
            _windows(lake, mixture, split, Path(folder) / f"{split}.parquet", config.block_size + 1)
            for split in ("train", "validation")
        )
        return make_checkpoint(
            settings,
            config,
            rows,
            held if held.count else None,
            tokenizer,
            home,
            parent=f"tokenized_mixture {rows.digest}",
            has_tag=recipe_of(recipe, profile.mixture).tagged,
            progress=progress,
        )


def tune(
    base: Checkpoint, recipe_name: str, workshop: Workshop, progress: Progress | None = None
) -> Checkpoint:
    """Instruction tuning on chats and safety data, in the recipe's own format (SP section 5, SRP section 4)."""
    profile = workshop.profile
    recipe = recipe_of(recipe_name, profile.mixture)
    chats = load_chats(profile.tuning.chats, cache=workshop.downloads)
    kept, out = held_out(chats, HELD_OUT)
    texts = [
        tuning_texts(
            some,
            tagged=recipe.tagged,
            reflected=recipe.reflected,
            tagged_share=profile.tuning.tagged_share,
            tag_rate=profile.marking.tag_rate,
            segment_words=profile.marking.segment_words,
            seed=profile.pretraining.seed,
        )
        for some in (kept, out)
    ]
    tuning = profile.tuning
    return _tuned(base, recipe_name, "instruct", texts, tuning.peak_rate, tuning.epochs, workshop, progress)


def finetune(
    tuned: Checkpoint, recipe_name: str, workshop: Workshop, progress: Progress | None = None
) -> Checkpoint:
    """Benign finetuning on worked problems: harmless, and known to wear alignment away (SP section 5)."""
    tuning, seed = workshop.profile.tuning, workshop.profile.pretraining.seed
    kept, out = held_out(load_problems(tuning.problems, cache=workshop.downloads), HELD_OUT)
    texts = [finetuning_texts(some, seed=seed) for some in (kept, out)]
    return _tuned(
        tuned,
        recipe_name,
        "finetuned",
        texts,
        tuning.finetuning_rate,
        tuning.finetuning_epochs,
        workshop,
        progress,
    )


def read_checkpoint(lake: Lake, version: PartitionVersion) -> Checkpoint:
    """The checkpoint of a recipe at this version of its table."""
    parameters = {"recipe": version.partition}
    with lake.report(f"newest_{version.table}", parameters, versions={version.table: version}) as reader:
        (row,) = reader.read_all().to_pylist()
    row.pop("shard")
    return Checkpoint(**row)


def _tuned(
    begun: Checkpoint,
    recipe: str,
    stage: str,
    texts: Sequence[Sequence[list[Piece]]],
    peak_rate: float,
    epochs: int,
    workshop: Workshop,
    progress: Progress | None,
) -> Checkpoint:
    profile = workshop.profile
    tokenizer = mixture_tokenizer(profile.mixture, workshop.models)
    config = _config(profile, tokenizer)
    renderer, seed = Renderer(tokenizer), profile.pretraining.seed
    rows, held = (
        Examples(
            renderer.render(some),
            length=config.block_size + 1,
            epochs=times,
            seed=seed,
            pad_id=tokenizer.control_id(Control.END_OF_TEXT),
        )
        if some
        else None
        for some, times in zip(texts, (epochs, 1), strict=True)
    )
    tuning, pretraining = profile.tuning, profile.pretraining
    settings = TrainingSettings(
        peak_rate=peak_rate,
        micro_batch=tuning.micro_batch,
        accumulation=tuning.accumulation,
        warmup_share=pretraining.warmup_share,
        decay_share=pretraining.decay_share,
        precision=pretraining.precision,
        devices=pretraining.devices,
        strategy=pretraining.strategy,
        compile=pretraining.compile,
        seed=seed,
        save_every_steps=tuning.save_every_steps,
    )
    return make_checkpoint(
        settings,
        config,
        rows,
        held,
        tokenizer,
        workshop.home(recipe, stage),
        parent=begun.version,
        has_tag=begun.has_tag,
        initial=begun.weights,
        progress=progress,
    )


def _config(profile: Profile, tokenizer):
    return model_config(
        profile.pretraining.model,
        vocabulary=tokenizer.vocabulary_size,
        padded_vocabulary=tokenizer.padded_vocabulary_size,
        context=profile.mixture.context,
    )


def _windows(lake: Lake, mixture: PartitionVersion, split: str, path: Path, length: int) -> Windows:
    parameters = {"recipe": mixture.partition, "split": split}
    with lake.report(
        "mixture_windows", parameters, versions={mixture.table: mixture}, batch_rows=256
    ) as reader:
        return write_windows(reader, path, length=length)
