"""One prepared home for the tests that need a trained classifier: training it is most of their time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from safety_assets.annotation import assets as annotation
from safety_assets.annotation.seeds import seed_rows
from tests.support.instance import Home, new_home, run_job, small_profile

# One try and few, short passages: enough to see that the parts fit together.
QUICK = {
    "generation": {"attempts": 1, "max_passages": 2, "passage_tokens": 24},
    "scoring": {"explain": False, "llm_max_chars": 200},
    # Seconds of training, and a few short answers.
    "mixture": {"tokens": 16_000, "context": 128, "validation_share": 0.2, "validation_windows": 4},
    "pretraining": {"save_every_steps": 10},
    "tuning": {"epochs": 1, "finetuning_epochs": 1},
    "evaluation": {"max_prompts": 3, "max_new_tokens": 6, "beams": 2, "candidates": 2, "tasks": []},
}
# The language model is asked twice about each annotation; of all 680 that takes minutes.
# Level 0 keeps its larger share.
SEEDS = {"train": 10, "calibration": 4, "test": 3}
BENIGN_SHARE = 3


def some_seeds() -> Iterator[dict[str, Any]]:
    """The first packaged seeds of every level and split."""
    taken: Counter[tuple[int, str]] = Counter()
    for row in seed_rows():
        cell = row["score"], row["split"]
        taken[cell] += 1
        if taken[cell] <= SEEDS[row["split"]] * (1 if row["score"] else BENIGN_SHARE):
            yield row


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory, packaged_models) -> Iterator[Home]:
    """A home in which ``prepare_scoring`` ran with the real small models; it has no shard yet."""
    folder = tmp_path_factory.mktemp("prepared")
    home = new_home(folder / "home", packaged_models, small_profile(folder / "quick.yaml", **QUICK))
    with pytest.MonkeyPatch.context() as patch, home.occupied() as project, home.instance() as instance:
        patch.setattr(annotation, "seed_rows", some_seeds)
        assert run_job(project, instance, "prepare_scoring").success
    yield home
    project.lake.open().close()
