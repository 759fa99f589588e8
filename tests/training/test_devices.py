"""Several devices: two processes train as one does, and the step that asked for them is not run again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from safety_assets.training.devices import train_on_devices
from safety_assets.training.errors import TrainingError
from tests.support import training_run as small


@pytest.mark.slow
def test_two_devices_learn_what_one_learns(tmp_path):
    one = replace(small.SETTINGS, micro_batch=2, accumulation=2)
    two = replace(small.SETTINGS, micro_batch=2, accumulation=1, devices=2, strategy="ddp")
    rows = small.windows(tmp_path / "windows.parquet", 24)
    alone = train_on_devices(one, small.config(), rows, tmp_path / "one")
    together = train_on_devices(two, small.config(), rows, tmp_path / "two")
    np.testing.assert_allclose(
        [point.loss for point in alone.curve], [point.loss for point in together.curve], rtol=1e-4
    )
    first, second = (torch.load(result.weights, weights_only=True) for result in (alone, together))
    for name, weights in first.items():
        torch.testing.assert_close(second[name], weights, rtol=1e-2, atol=1e-3)


def test_a_process_that_fails_is_an_error_here(tmp_path):
    two = replace(small.SETTINGS, micro_batch=64, devices=2, strategy="ddp")
    with pytest.raises(TrainingError, match="2 devices ended with code"):
        train_on_devices(two, small.config(), small.windows(tmp_path / "w.parquet", 4), tmp_path / "two")
