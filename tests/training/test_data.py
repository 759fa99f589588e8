"""Training rows as batches: the right rows for every place, from any step on, on any number of devices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from safety_assets.rendering.renderer import Rendered
from safety_assets.training.data import Examples, WindowData, write_windows
from safety_assets.training.errors import TrainingError

LENGTH = 5
SCHEMA = pa.schema([("token_ids", pa.list_(pa.uint16())), ("loss_mask", pa.list_(pa.bool_()))])


def batches(count: int, size: int):
    """Window i holds i five times; every third token is masked."""
    for first in range(0, count, size):
        rows = range(first, min(first + size, count))
        yield pa.RecordBatch.from_pydict(
            {
                "token_ids": [[row] * LENGTH for row in rows],
                "loss_mask": [[column % 3 > 0 for column in range(LENGTH)] for _ in rows],
            },
            schema=SCHEMA,
        )


def seen(data: WindowData) -> list[list[int]]:
    return [ids[:, 0].tolist() for ids, _ in data.train_dataloader()]


@pytest.mark.parametrize("size", [1, 7, 700])
def test_windows_are_read_back_at_any_place(tmp_path, size):
    windows = write_windows(batches(2_500, size), tmp_path / "w.parquet", length=LENGTH)
    assert windows.count == 2_500
    for first, count in ((0, 3), (1_020, 10), (2_490, 10)):
        ids, mask = windows.rows(first, count)
        assert ids[:, 0].tolist() == list(range(first, first + count))
        assert ids.shape == mask.shape == (count, LENGTH)
        assert mask[0].tolist() == [False, True, True, False, True]


def test_the_digest_is_of_content_and_not_of_how_it_came(tmp_path):
    digests = {
        write_windows(batches(100, size), tmp_path / f"{size}.parquet", length=LENGTH).digest
        for size in (1, 9, 100)
    }
    assert len(digests) == 1
    assert digests != {write_windows(batches(99, 9), tmp_path / "other.parquet", length=LENGTH).digest}


@pytest.mark.parametrize("devices", [1, 2, 3])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_devices_share_out_each_step_without_gap_or_double(tmp_path, devices, accumulation):
    windows = write_windows(batches(50, 50), tmp_path / "w.parquet", length=LENGTH)
    shares = []
    for rank in range(devices):
        data = WindowData(windows, accumulation=accumulation, rank=rank, devices=devices)
        data.connect(batch_size=2)
        shares.append(seen(data))
    step = 2 * accumulation * devices
    for number in range(50 // step):
        own = [
            row
            for share in shares
            for batch in share[number * accumulation :][:accumulation]
            for row in batch
        ]
        assert sorted(own) == list(range(number * step, (number + 1) * step))


def test_a_later_start_sees_what_would_have_followed(tmp_path):
    windows = write_windows(batches(40, 40), tmp_path / "w.parquet", length=LENGTH)
    whole, late = WindowData(windows), WindowData(windows, first_step=4)
    for data in (whole, late):
        data.connect(batch_size=3, max_seq_length=LENGTH - 1)
    assert seen(late) == seen(whole)[4:]


def rendered(length: int, learned_from: int = 0) -> Rendered:
    ids = np.arange(1, length + 1, dtype=np.int32)
    return Rendered(ids, np.arange(length) >= learned_from, (0,), ((None, None),), 0)


def test_examples_are_padded_where_nothing_is_learned_and_cut_at_their_end():
    rows = Examples([rendered(3), rendered(9)], length=5, epochs=1, seed=0, pad_id=0)
    ids, mask = rows.rows(0, 2)
    assert sorted(ids.tolist()) == [[1, 2, 3, 0, 0], [1, 2, 3, 4, 5]]
    assert mask.sum() == 8
    assert not mask[ids == 0].any()


def test_each_epoch_has_every_example_once_in_an_order_of_its_own():
    rows = Examples([rendered(n) for n in range(2, 22)], length=32, epochs=3, seed=0, pad_id=0)
    epochs = [[int((row > 0).sum()) for row in rows.rows(first, 20)[0]] for first in (0, 20, 40)]
    assert all(sorted(epoch) == list(range(2, 22)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_examples_without_anything_to_learn_are_refused():
    with pytest.raises(TrainingError, match="token to learn"):
        Examples([rendered(4, learned_from=4)], length=5, epochs=1, seed=0, pad_id=0)


def test_batches_are_what_the_model_takes(tmp_path):
    data = WindowData(write_windows(batches(4, 4), tmp_path / "w.parquet", length=LENGTH))
    data.connect(batch_size=4)
    [(ids, mask)] = list(data.train_dataloader())
    assert ids.dtype == torch.int64 and ids.shape == (4, LENGTH)
    assert mask.dtype == torch.bool
