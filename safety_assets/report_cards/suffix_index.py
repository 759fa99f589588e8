"""Building, verifying and asking an infini-gram index of bytes.

infini-gram is an external program with sharp edges, and all of them are dealt with here: several jobs of
under 100,000 bytes leave a corrupt table and a zero exit status; paths reach a shell unquoted; the word
"tokenized" is replaced wherever it stands in the path; failures come back as ``{'error': ...}``. A table is
trusted only after it has been verified. What is indexed, and what for, is decided in ``ngrams.py``.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from safety_assets.report_cards.errors import IndexBuildError

__all__ = ["IndexText", "build_index", "can_index", "count_patterns", "verify_index"]

# Stands before every document. Not a byte of any UTF-8 text, so no query matches across documents.
SEPARATOR = b"\xff"
# Jobs overlap by this many bytes; a job smaller than its overlap writes pointers twice.
SMALLEST_JOB_BYTES = 100_000
# Parts of the text are sorted in memory, 12 bytes for each byte; a larger text is sorted in several rounds.
MEMORY_GIB = 2
# Rows of the table whose order is checked, and how deep. The longest packaged query has 33 bytes.
ORDER_SAMPLES, ORDER_BYTES = 20_000, 96
_CHUNK = 1 << 20
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+@:=,-]+")


class IndexText:
    """The documents of an index in one file, streamed in and out. Used as a context manager while writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0
        self._text: BinaryIO
        self._offsets: BinaryIO

    def __enter__(self) -> IndexText:
        self._text = (self.folder / "tokenized.0").open("wb")
        self._offsets = (self.folder / "offset.0").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._offsets.close()

    def append(self, document: bytes) -> None:
        """Add one document, which is UTF-8 and so free of the separator."""
        self._offsets.write(self.size.to_bytes(8, "little"))
        self._text.write(SEPARATOR + document)
        self.size += len(SEPARATOR) + len(document)

    def documents(self) -> Iterator[bytes]:
        """The documents written, in order, one in memory at a time."""
        rest = b""
        with (self.folder / "tokenized.0").open("rb") as text:
            while chunk := text.read(_CHUNK):
                *whole, rest = (rest + chunk).split(SEPARATOR)
                yield from filter(None, whole)
        if rest:
            yield rest


def can_index(text: IndexText) -> bool:
    """False where infini-gram cannot be relied on: under 100,000 bytes, or a path its shell would mangle."""
    path = str(text.folder.resolve())
    return text.size >= SMALLEST_JOB_BYTES and bool(_SAFE_PATH.fullmatch(path)) and "tokenized" not in path


def build_index(folder: Path, *, cores: int | None = None) -> None:
    """Sort all suffixes of ``folder/tokenized.0`` into ``folder/table.0``.

    Args:
        folder: holds the files of one closed :class:`IndexText`, and nothing else.
        cores: jobs at once, lowered until each gets 100,000 bytes; all of the machine's when not given.

    Raises:
        IndexBuildError: the program failed; its last words are in the message.
    """
    folder = folder.resolve()
    size = (folder / "tokenized.0").stat().st_size
    jobs = max(1, min(cores or os.cpu_count() or 1, size // SMALLEST_JOB_BYTES))
    options = {"data_dir": folder, "save_dir": folder, "temp_dir": folder, "token_dtype": "u8", "version": 4}
    options |= {"cpus": jobs, "mem": MEMORY_GIB, "shards": 1, "ulimit": 1024}
    command = [sys.executable, "-m", "infini_gram.indexing"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0 or not (folder / "table.0").is_file():
        raise IndexBuildError(
            f"infini-gram could not index {size:,} bytes in {jobs} jobs (exit status {done.returncode}): "
            f"{done.stderr.strip()[-300:] or 'it said nothing'}. Check free disk space (about five times the "
            "text), or count with method='scan'."
        )


def verify_index(folder: Path) -> None:
    """Check that ``table.0`` is a suffix array of ``tokenized.0``; memory stays at one chunk.

    The length must be exact. The pointers must be a permutation: a random 64-bit hash summed over them must
    equal its sum over all positions, which another multiset passes with a chance of about 2^-64. And suffixes
    spread evenly over the table must stand in the order of their first bytes.

    Raises:
        IndexBuildError: one of the three does not hold.
    """
    size = (folder / "tokenized.0").stat().st_size
    width = math.ceil(math.log2(size) / 8)
    length = (folder / "table.0").stat().st_size
    if length != size * width:
        raise IndexBuildError(
            f"The index table has {length:,} bytes instead of {size * width:,}. Count with 'scan'."
        )
    text = np.memmap(folder / "tokenized.0", np.uint8, "r")
    table = np.memmap(folder / "table.0", np.uint8, "r").reshape(size, width)
    seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
    balance = np.uint64(0)
    for first in range(0, size, _CHUNK):
        positions = np.arange(first, min(first + _CHUNK, size), dtype=np.uint64)
        pointers = _pointers(table[first : first + len(positions)])
        with np.errstate(over="ignore"):
            balance += _mixed(pointers ^ seed).sum() - _mixed(positions ^ seed).sum()
    if balance != 0:
        raise IndexBuildError(
            "The pointers of the index table are not a permutation of the text. Count with 'scan'."
        )
    rows = np.unique(np.linspace(0, size - 1, min(ORDER_SAMPLES, size)).astype(np.int64))
    before = b""
    for row, pointer in zip(rows, _pointers(table[rows]).tolist(), strict=True):
        suffix = bytes(text[pointer : pointer + ORDER_BYTES])
        if suffix < before:
            raise IndexBuildError(f"The index table is out of order before row {row:,}. Count with 'scan'.")
        before = suffix


def count_patterns(folder: Path, patterns: Iterable[bytes]) -> dict[bytes, int]:
    """How often each pattern occurs in the verified index in ``folder``, overlapping occurrences included.

    Raises:
        IndexBuildError: the engine answered with an error, or with an approximation.
    """
    from infini_gram.engine import InfiniGramEngine

    # The engine keeps the vocabulary size in a byte too, so 255 is the most; counting uses neither number.
    engine = InfiniGramEngine(
        str(folder.resolve()), eos_token_id=254, vocab_size=255, version=4, token_dtype="u8"
    )
    counts = {}
    for pattern in patterns:
        answer = engine.count(list(pattern))
        if "error" in answer or answer["approx"]:
            raise IndexBuildError(
                f"infini-gram could not count a query of {len(pattern)} bytes exactly: "
                f"{answer.get('error', 'the answer is approximate')}. Count with method='scan'."
            )
        counts[pattern] = int(answer["count"])
    return counts


def _pointers(rows: np.ndarray) -> np.ndarray:
    """Little-endian integers of any width, (n, width) uint8, as (n,) uint64."""
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<u8").ravel()


def _mixed(values: np.ndarray) -> np.ndarray:
    """The SplitMix64 finaliser: each uint64 to a well spread uint64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
