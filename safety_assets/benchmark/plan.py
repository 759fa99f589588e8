"""What a comparison reads: labelled files or the packaged texts, without any text that a scorer has learned from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from safety_assets.benchmark.errors import BenchmarkError
from safety_assets.benchmark.labels import LabelledText, chosen, load_rules, read_file
from safety_assets.benchmark.packaged_texts import packaged_texts
from safety_assets.benchmark.unseen import unseen

__all__ = ["labelled_texts"]


def labelled_texts(
    files: Sequence[Path] = (),
    *,
    rules: Path | None = None,
    most: int | None = None,
    annotated: Collection[str] = (),
) -> list[LabelledText]:
    """The texts to compare scorers on, each once.

    Args:
        files: JSON Lines or Parquet; none takes the packaged texts. Where two hold a text, the first one's label counts.
        rules: a file like ``labels.yaml``, for sources of one's own.
        most: texts of a file.
        annotated: hashes of texts that a classifier of one's own was trained on.

    Raises:
        LabelFileError: a file or its labels cannot be used.
        BenchmarkError: no text is left.
    """
    read = load_rules(rules)

    def everything() -> Iterator[LabelledText]:
        if not files:
            yield from packaged_texts()
        for file in files:
            yield from read_file(file, read)

    texts = chosen(unseen(everything(), annotated), most)
    if not texts:
        raise BenchmarkError(
            "No labelled text is left that no scorer has learned from: give other files, or another split."
        )
    return texts
