"""A training from its rows to an exported, measured checkpoint; one that is done is not done again.

Each training has a folder of its own, named by what decides its weights. Imports the model libraries: import this where
a step needs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from litgpt import Config

from safety_assets.rendering.pieces import Control
from safety_assets.rendering.tokenizer import TextTokenizer
from safety_assets.training.data import TrainingRows
from safety_assets.training.devices import train_on_devices
from safety_assets.training.export import export_to_hugging_face
from safety_assets.training.trainer import LossPoint, TrainingSettings, fingerprint_of, perplexity

__all__ = ["Checkpoint", "checkpoint_row", "make_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A finished training, as its table has it. ``version`` is the digest of the exported weights."""

    version: str
    parent: str
    folder: str
    model: str
    parameters: int
    tokenizer_digest: str
    has_tag: bool
    examples: int
    tokens: int
    steps: int
    first_loss: float
    final_loss: float
    validation_perplexity: float | None
    tokens_per_second: float
    utilisation: float | None
    export_difference: float
    loss_curve: list[dict[str, Any]]
    settings: str

    @property
    def export(self) -> Path:
        """The folder in Hugging Face format."""
        return Path(self.folder) / "export"

    @property
    def weights(self) -> Path:
        """LitGPT's weights, for a training that begins with them."""
        return Path(self.folder) / "weights.pt"


def make_checkpoint(
    settings: TrainingSettings,
    config: Config,
    rows: TrainingRows,
    held_out: TrainingRows | None,
    tokenizer: TextTokenizer,
    home: Path,
    *,
    parent: str,
    has_tag: bool,
    initial: Path | None = None,
    progress: Callable[[LossPoint, int], None] | None = None,
) -> Checkpoint:
    """Train (or go on with, or find done), measure held-out perplexity, export and compare.

    Args:
        home: of all trainings of this stage and recipe.
        parent: version of what it is made from: the mixture's digest, or the checkpoint that it begins with.
        has_tag: whether its data has the harmfulness tag, so that Safe Beam Search has something to go by.

    Raises:
        TrainingError: see :func:`train` and :func:`export_to_hugging_face`.
    """
    folder = home / fingerprint_of(settings, config, rows, initial)
    done = folder / "checkpoint.json"
    if not done.is_file():
        result = train_on_devices(settings, config, rows, folder, initial=initial, progress=progress)
        difference = export_to_hugging_face(
            result.weights,
            config,
            tokenizer,
            folder / "export",
            end_ids=[tokenizer.control_id(Control.END_OF_TEXT), tokenizer.control_id(Control.TURN_END)],
            pad_id=tokenizer.control_id(Control.END_OF_TEXT),
        )
        checkpoint = Checkpoint(
            version=_digest(folder / "export" / "model.safetensors"),
            parent=parent,
            folder=str(folder),
            model=config.name,
            parameters=result.parameters,
            tokenizer_digest=tokenizer.digest,
            has_tag=has_tag,
            examples=result.examples,
            tokens=result.tokens,
            steps=len(result.curve),
            first_loss=result.curve[0].loss,
            final_loss=result.final_loss,
            validation_perplexity=perplexity(config, result.weights, held_out) if held_out else None,
            tokens_per_second=result.tokens_per_second,
            utilisation=result.utilisation,
            export_difference=difference,
            loss_curve=[asdict(point) for point in result.curve],
            settings=json.dumps(asdict(settings), sort_keys=True),
        )
        _write(checkpoint, done)
        # The optimizer's state is twice the model; what is done does not go on.
        (folder / "state.pt").unlink(missing_ok=True)
    found = json.loads(done.read_text(encoding="utf-8"))
    # The home may have been moved since; what the model was made from may have been made again.
    return Checkpoint(**found | {"folder": str(folder), "parent": parent})


def checkpoint_row(recipe: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """The checkpoint as a row of its table."""
    return {"shard": recipe, **asdict(checkpoint)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _write(checkpoint: Checkpoint, path: Path) -> None:
    beside = path.with_suffix(".writing")
    beside.write_text(json.dumps(asdict(checkpoint)), encoding="utf-8")
    beside.replace(path)
