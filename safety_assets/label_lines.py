"""Files of labels as people and their tools write them: JSON objects, one a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from safety_assets.harms import LEVELS

__all__ = ["LabelLineError", "label_level", "label_lines"]

Label = TypeVar("Label")


class LabelLineError(ValueError):
    """A line that is no label; ``number`` is its place from 1. What it says is not quoted."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Line {number} is no label.")
        self.number = number


def label_lines(lines: Iterable[bytes], read: Callable[[dict[str, Any]], Label]) -> Iterator[Label]:
    """What ``read`` makes of the object of each line that is not blank; a byte order mark does not count.

    Args:
        read: raises ValueError, KeyError or TypeError for an object that is no label.

    Raises:
        LabelLineError: a line that is none, no JSON object, or not in UTF-8.
    """
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            if not text.strip():
                continue
            record = json.loads(text)
            # JSON can escape half a character, which is no text and has no hash.
            json.dumps(record, ensure_ascii=False).encode()
            if not isinstance(record, dict):
                raise ValueError
            label = read(record)
        except (ValueError, KeyError, TypeError):
            raise LabelLineError(number) from None
        yield label


def label_level(score: Any) -> int | None:
    """A level 0-5; None where none is given yet. Tables with gaps write 3 as 3.0, and a gap as NaN.

    Raises:
        ValueError: anything else.
    """
    if score is None or score != score:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or score not in LEVELS:
        raise ValueError(f"A score is a whole number from 0 to {max(LEVELS)}.")
    return int(score)
