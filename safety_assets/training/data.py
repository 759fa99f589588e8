"""What a model is trained on, as batches: windows of a mixture from a file, or tuning examples in memory.

Both give the batch that belongs to a place in the training, so that a resumed training sees what it would have seen.
Imports torch, and litgpt for its ``DataModule``: import this where a step needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow.parquet as pq
import torch
from litgpt.data import DataModule
from torch.utils.data import DataLoader, IterableDataset

from safety_assets.rendering.renderer import Rendered
from safety_assets.training.errors import TrainingError

__all__ = ["Examples", "TrainingRows", "WindowData", "Windows", "write_windows"]

# Rows of a row group of a window file: what is held in memory.
GROUP_ROWS = 1_024


class TrainingRows(Protocol):
    """Rows in the order of training. ``length`` is context + 1; ``digest`` identifies content and order."""

    length: int
    count: int
    digest: str

    def rows(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids (count, length) int64 and loss mask (count, length) bool of consecutive rows."""
        ...


class Windows:
    """Windows of a Parquet file made by :func:`write_windows`. Holds one row group in memory."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        metadata = self._file.metadata
        self.count = metadata.num_rows
        self._starts = np.cumsum(
            [0, *(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))]
        )
        stored = metadata.metadata or {}
        self.digest = stored.get(b"digest", b"").decode()
        self.length = int(stored.get(b"length", b"0"))
        self._group: tuple[int, np.ndarray, np.ndarray] | None = None

    def rows(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`TrainingRows`."""
        ids, masks, place = [], [], first
        while place < first + count:
            number = int(np.searchsorted(self._starts, place, side="right")) - 1
            held_ids, held_mask = self._row_group(number)
            start = place - int(self._starts[number])
            taken = min(len(held_ids) - start, first + count - place)
            ids.append(held_ids[start : start + taken])
            masks.append(held_mask[start : start + taken])
            place += taken
        return np.concatenate(ids).astype(np.int64), np.concatenate(masks)

    def _row_group(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        if self._group is None or self._group[0] != number:
            table = self._file.read_row_group(number, columns=["token_ids", "loss_mask"])
            ids = table.column("token_ids").combine_chunks().flatten().to_numpy()
            mask = table.column("loss_mask").combine_chunks().flatten().to_numpy(zero_copy_only=False)
            self._group = number, ids.reshape(-1, self.length), mask.reshape(-1, self.length)
        return self._group[1], self._group[2]


class Examples:
    """Tuning examples, one a row, padded to ``length``; each epoch in a seeded order of its own.

    A longer example is cut: its beginning is what an answer needs.

    Raises:
        TrainingError: no example, or none with a token to learn.
    """

    def __init__(
        self, examples: Sequence[Rendered], *, length: int, epochs: int, seed: int, pad_id: int
    ) -> None:
        self.length, self.count = length, len(examples) * epochs
        self._ids = np.full((len(examples), length), pad_id, np.int64)
        self._mask = np.zeros((len(examples), length), bool)
        for row, example in enumerate(examples):
            kept = min(len(example), length)
            self._ids[row, :kept] = example.ids[:kept]
            self._mask[row, :kept] = example.loss[:kept]
        # The first token of a row is never predicted.
        if not self._mask[:, 1:].any():
            raise TrainingError(
                "No example has a token to learn: give chats with answers, or a longer context."
            )
        self._seed = seed

    @cached_property
    def _order(self) -> np.ndarray:
        epochs = self.count // len(self._ids)
        draws = [np.random.Generator(np.random.PCG64([self._seed, epoch])) for epoch in range(epochs)]
        return np.concatenate([draw.permutation(len(self._ids)) for draw in draws])

    @cached_property
    def digest(self) -> str:
        """Of the rows in their order."""
        digest = hashlib.sha256(self._order.tobytes())
        digest.update(self._ids.tobytes())
        digest.update(self._mask.tobytes())
        return digest.hexdigest()[:16]

    def rows(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`TrainingRows`."""
        chosen = self._order[first : first + count]
        return self._ids[chosen], self._mask[chosen]


class WindowData(DataModule):
    """LitGPT's data module over training rows: micro-batches of one device from any step on.

    The rows of a step are shared out in blocks: micro-batch m of device r begins at
    ``step x global batch + (m x devices + r) x micro-batch``. Rows that fill no step are left out.
    """

    def __init__(
        self,
        source: TrainingRows,
        *,
        accumulation: int = 1,
        rank: int = 0,
        devices: int = 1,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.source, self.accumulation = source, accumulation
        self.rank, self.devices, self.first_step = rank, devices, first_step
        self.batch_size = 1

    def connect(self, tokenizer=None, batch_size: int = 1, max_seq_length: int | None = None, **_) -> None:
        """Take the micro-batch size. The windows have their length already.

        Raises:
            TrainingError: another length than the windows have.
        """
        if max_seq_length is not None and max_seq_length != self.source.length - 1:
            raise TrainingError(
                f"The windows have {self.source.length - 1} tokens of context, and the model {max_seq_length}: "
                "materialise the mixture again."
            )
        self.batch_size = batch_size

    @property
    def global_batch(self) -> int:
        """Rows of one step on all devices."""
        return self.batch_size * self.accumulation * self.devices

    @property
    def steps(self) -> int:
        """Whole steps in the rows."""
        return self.source.count // self.global_batch

    def train_dataloader(self) -> DataLoader:
        """Micro-batches ``(ids (B, T + 1) int64, mask (B, T + 1) bool)``, ``accumulation`` of them for each step."""
        return DataLoader(_MicroBatches(self), batch_size=None, pin_memory=torch.cuda.is_available())


class _MicroBatches(IterableDataset):
    def __init__(self, data: WindowData) -> None:
        self._data = data

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        data = self._data
        for step in range(data.first_step, data.steps):
            for micro in range(data.accumulation):
                block = micro * data.devices + data.rank
                first = step * data.global_batch + block * data.batch_size
                ids, mask = data.source.rows(first, data.batch_size)
                yield torch.from_numpy(ids), torch.from_numpy(mask)


def write_windows(batches, path: Path, *, length: int) -> Windows:
    """Write windows (record batches with ``token_ids`` and ``loss_mask``, in order) to a file, and open it.

    Written beside and renamed; the digest of the content is stored with it.
    """
    import pyarrow as pa

    pending, beside = [], path.with_suffix(".writing")
    schema = pa.schema([("token_ids", pa.list_(pa.uint16())), ("loss_mask", pa.list_(pa.bool_()))])
    # One for each column: how the rows came in batches has no say.
    digests = {name: hashlib.sha256() for name in schema.names}
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(beside, schema) as writer:
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
            for name in schema.names:
                values = table.column(name).combine_chunks().flatten()
                digests[name].update(values.to_numpy(zero_copy_only=False).tobytes())
            pending.append(table)
            if sum(len(held) for held in pending) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(pending), row_group_size=GROUP_ROWS)
                pending = []
        if pending:
            writer.write_table(pa.concat_tables(pending), row_group_size=GROUP_ROWS)
        digest = hashlib.sha256(b"".join(found.digest() for found in digests.values())).hexdigest()[:16]
        writer.add_key_value_metadata({"digest": digest, "length": str(length)})
    beside.replace(path)
    return Windows(path)
