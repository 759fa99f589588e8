"""The training loop: masked tokens teach nothing, accumulation is one big batch, and a kill changes no number."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from safety_assets.training.errors import TrainingError
from safety_assets.training.models import MODELS, build_model, model_config, parameters_of
from safety_assets.training.trainer import TrainingSettings, fingerprint_of, perplexity, train
from tests.support import training_run as small
from tests.support.instance import ROOT


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights_of(result):
    return torch.load(result.weights, weights_only=True)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["windows", "examples"])
def test_a_killed_training_goes_on_to_the_same_losses_and_weights(tmp_path, kind):
    whole = small.run(tmp_path / "whole", kind)
    command = [sys.executable, "-m", "tests.support.training_run", str(tmp_path / "killed"), kind, "5"]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr[-2000:]
    assert (tmp_path / "killed" / "run" / "state.pt").is_file()
    resumed = small.run(tmp_path / "killed", kind)
    # Saved after the third step, killed after the fifth.
    assert resumed.resumed_at == 3
    assert resumed.curve == whole.curve
    assert same(weights_of(resumed), weights_of(whole))


def test_the_loss_falls(tmp_path):
    curve = small.run(tmp_path, "windows").curve
    assert curve[-1].loss < 0.9 * curve[0].loss
    assert [point.step for point in curve] == list(range(1, len(curve) + 1))


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"peak_rate": 1e-3}, {"micro_batch": 4, "accumulation": 1}, {"decay_share": 0.5}]
)
def test_a_state_of_other_settings_is_never_gone_on_from(tmp_path, changed):
    rows = small.windows(tmp_path / "windows.parquet")
    first = train(small.SETTINGS, small.config(), rows, tmp_path / "run")
    settings = replace(small.SETTINGS, **changed)
    assert fingerprint_of(settings, small.config(), rows) != fingerprint_of(
        small.SETTINGS, small.config(), rows
    )
    (tmp_path / "run" / "weights.pt").unlink()
    again = train(settings, small.config(), rows, tmp_path / "run")
    assert again.resumed_at is None
    assert again.curve != first.curve


def test_a_state_of_other_data_is_never_gone_on_from(tmp_path):
    train(small.SETTINGS, small.config(), small.windows(tmp_path / "a.parquet"), tmp_path / "run")
    other = small.windows(tmp_path / "b.parquet", seed=9)
    assert train(small.SETTINGS, small.config(), other, tmp_path / "run").resumed_at is None


def test_how_often_states_are_saved_changes_nothing(tmp_path):
    rows = small.windows(tmp_path / "windows.parquet")
    often = train(replace(small.SETTINGS, save_every_steps=1), small.config(), rows, tmp_path / "often")
    never = train(replace(small.SETTINGS, save_every_steps=999), small.config(), rows, tmp_path / "never")
    assert often.curve == never.curve


def test_accumulated_micro_batches_are_one_big_batch(tmp_path):
    rows = small.windows(tmp_path / "windows.parquet")
    split = train(
        replace(small.SETTINGS, micro_batch=2, accumulation=4), small.config(), rows, tmp_path / "split"
    )
    whole = train(
        replace(small.SETTINGS, micro_batch=8, accumulation=1), small.config(), rows, tmp_path / "whole"
    )
    np.testing.assert_allclose(
        [point.loss for point in split.curve], [point.loss for point in whole.curve], rtol=1e-4
    )


class Masked:
    """Rows whose masked tokens can be changed."""

    length, count, digest = small.CONTEXT + 1, 8, "masked"

    def __init__(self, noise: int) -> None:
        draw = np.random.default_rng(5)
        self._ids = draw.integers(0, small.VOCABULARY, (8, self.length))
        self._mask = np.zeros((8, self.length), bool)
        self._mask[:, :9] = True
        # Only the last token is never an input: what it is may have a say as a target alone.
        self._ids[:, -1] = (self._ids[:, -1] + noise) % small.VOCABULARY

    def rows(self, first, count):
        return self._ids[first : first + count], self._mask[first : first + count]


def test_a_masked_token_teaches_nothing(tmp_path):
    first = train(small.SETTINGS, small.config(), Masked(0), tmp_path / "a")
    second = train(small.SETTINGS, small.config(), Masked(7), tmp_path / "b")
    assert same(weights_of(first), weights_of(second))


def test_too_few_rows_for_a_step_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="fill no step"):
        train(small.SETTINGS, small.config(), small.windows(tmp_path / "w.parquet", 3), tmp_path / "run")


def test_windows_of_another_length_are_refused(tmp_path):
    other = model_config("micro", vocabulary=96, padded_vocabulary=96, context=32)
    with pytest.raises(TrainingError, match="materialise the mixture again"):
        train(small.SETTINGS, other, small.windows(tmp_path / "w.parquet"), tmp_path / "run")


def test_perplexity_is_that_of_the_trained_tokens(tmp_path):
    rows = small.windows(tmp_path / "w.parquet")
    result = small.run(tmp_path / "run", "windows")
    found = perplexity(small.config(), result.weights, rows)
    fresh = TrainingSettings(peak_rate=1e-9, micro_batch=2, accelerator="cpu")
    untrained = train(fresh, small.config(), rows, tmp_path / "fresh")
    assert 1 < found < perplexity(small.config(), untrained.weights, rows)


def test_the_embeddings_are_tied_and_counted_once():
    model = build_model(small.config())
    assert model.lm_head.weight is model.transformer.wte.weight
    assert parameters_of(model) == sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())


@pytest.mark.parametrize(
    ("name", "millions"), [("SmolLM2-135M", 134.5), ("SmolLM2-360M", 361.8), ("SmolLM2-1.7B", 1711.4)]
)
def test_smollm2_has_the_published_sizes(name, millions):
    config = model_config(name, vocabulary=49_152, padded_vocabulary=49_152, context=2_048)
    with torch.device("meta"):
        assert parameters_of(build_model(config)) / 1e6 == pytest.approx(millions, abs=0.2)
    assert config.rope_base == 10_000


def test_an_unknown_model_is_refused_with_those_that_exist():
    with pytest.raises(TrainingError, match="SmolLM2-135M"):
        model_config("nosuch", vocabulary=8, padded_vocabulary=8, context=8)
    assert set(MODELS) == {"micro", "mini", "SmolLM2-135M", "SmolLM2-360M", "SmolLM2-1.7B"}
