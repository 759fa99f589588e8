"""Labelled texts: read from files of any of the known forms, from the packaged seeds, and the packaged documents.

A text carries a level 0-5, or only whether it is harmful (level 3 or above) or harmless (level 1 or below). Files that
have neither are read by the rules of ``labels.yaml``. Which of the texts may be measured is decided in ``unseen.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from safety_assets.benchmark.errors import LabelFileError
from safety_assets.corpus.identity import text_hash
from safety_assets.label_lines import LabelLineError, label_level, label_lines

__all__ = ["LabelledText", "Rules", "chosen", "harmful_of", "load_rules", "read_file", "texts_digest"]

RULES = Path(__file__).parent / "labels.yaml"
# Texts with the same letters at their beginning are copies of one another, or one is the other's beginning.
OPENING_LETTERS = 160
_WORDS = {"harmful": True, "unsafe": True, "harmless": False, "safe": False, "benign": False}


@dataclass(frozen=True)
class LabelledText:
    """A text and what it is.

    Attributes:
        collection: the file or packaged set it comes from.
        source: where that has it from.
        level: 0-5; None where only ``harmful`` is known.
        harmful: True for level 3 and above, False for 0 and 1, None for 2.
        sensitive: a harmless text about a grim topic.
    """

    text: str
    collection: str
    source: str
    level: int | None
    harmful: bool | None
    sensitive: bool = False

    @property
    def key(self) -> str:
        """Hash of the text."""
        return text_hash(self.text)

    @property
    def group(self) -> str:
        """The same for near duplicates: hash of the first letters."""
        letters = (letter for letter in self.text.casefold() if letter.isalnum())
        opening = "".join(letter for letter, _ in zip(letters, range(OPENING_LETTERS), strict=False))
        return text_hash(opening or self.text)


@dataclass(frozen=True)
class Rules:
    """For each source the conditions under which a text is harmful, harmless and sensitive."""

    by_source: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def holds(self, source: str, what: str, record: Mapping[str, Any]) -> bool:
        """Whether a record meets the source's conditions of ``what``; False where it has none."""
        conditions = self.by_source.get(source, {}).get(what)
        return conditions is not None and all(
            _meets(record.get(field), wanted) for field, wanted in conditions.items()
        )


def load_rules(path: Path | None = None) -> Rules:
    """The packaged rules; a file of one's own comes before them, source by source.

    Raises:
        LabelFileError: no such file, or not of the form that ``labels.yaml`` describes.
    """
    rules: dict[str, Any] = {}
    for file in (RULES, path) if path else (RULES,):
        try:
            read = yaml.safe_load(file.read_text(encoding="utf-8"))
            if not all(
                set(rule) <= {"harmful", "harmless", "sensitive"}
                and all(isinstance(conditions, dict) for conditions in rule.values())
                for rule in read.values()
            ):
                raise ValueError
        except (OSError, yaml.YAMLError, ValueError, AttributeError, TypeError):
            raise LabelFileError(
                f"{file.name} holds no rules for labels: write them as benchmark/labels.yaml describes."
            ) from None
        rules |= read
    return Rules(rules)


def read_file(path: Path, rules: Rules) -> Iterator[LabelledText]:
    """The labelled texts of a JSON Lines or Parquet file; what has no label by any rule is left out.

    Raises:
        LabelFileError: no such file, a line that is no record, or a label that is none; texts are not quoted.
    """
    found = 0
    for number, record in enumerate(_records(path), 1):
        try:
            labelled = _labelled(record, path.stem, rules)
        except (KeyError, TypeError, ValueError):
            raise LabelFileError(
                f"Row {number} of {path.name} is no labelled text: it takes text, and score (0-5) or harmful "
                "(true or false), or a rule for its source."
            ) from None
        if labelled is None:
            continue
        found += 1
        yield labelled
    if not found:
        raise LabelFileError(
            f"No row of {path.name} has a label: give score (0-5), harmful, or a file of rules for its sources."
        )


def chosen(texts: Iterable[LabelledText], most: int | None = None) -> list[LabelledText]:
    """Each text once, and of each collection at most ``most``, drawn by their hashes: the same on every run.

    A text that an earlier collection has, or the beginning of which it has, keeps that collection's label.
    """
    owner: dict[str, str] = {}
    kept: dict[str, dict[str, LabelledText]] = {}
    for text in texts:
        if not text.text.strip() or owner.setdefault(text.group, text.collection) != text.collection:
            continue
        kept.setdefault(text.collection, {}).setdefault(text.key, text)
    return [found[key] for found in kept.values() for key in sorted(found)[:most]]


def texts_digest(texts: Sequence[LabelledText]) -> str:
    """Names exactly these texts and labels."""
    rows = sorted((text.key, text.collection, text.level, text.harmful) for text in texts)
    return text_hash(json.dumps(rows))[:16]


def _labelled(record: Mapping[str, Any], collection: str, rules: Rules) -> LabelledText | None:
    text, source = record["text"], str(record.get("source") or collection)
    if not isinstance(text, str):
        raise TypeError
    sensitive = bool(record.get("sensitive") or record.get("sensitive_kw")) or rules.holds(
        source, "sensitive", record
    )
    level = label_level(record.get("score"))
    if level is not None:
        return LabelledText(text, collection, source, level, harmful_of(level), sensitive and level == 0)
    harmful = _harmful(record, source, rules)
    if harmful is None:
        return None
    return LabelledText(text, collection, source, None, harmful, sensitive and not harmful)


def harmful_of(level: int) -> bool | None:
    """True from level 3, False up to level 1; level 2 is neither."""
    return True if level >= 3 else False if level <= 1 else None


def _harmful(record: Mapping[str, Any], source: str, rules: Rules) -> bool | None:
    said = record.get("harmful")
    if isinstance(said, bool):
        return said
    if said is not None:
        raise ValueError
    if rules.holds(source, "harmful", record):
        return True
    if rules.holds(source, "harmless", record):
        return False
    label = record.get("label")
    if source in rules.by_source or label is None:
        return None
    return label if isinstance(label, bool) else _WORDS.get(str(label).lower())


def _meets(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return wanted.get("from", float("-inf")) <= value <= wanted.get("to", float("inf"))
    return value in wanted if isinstance(wanted, list) else value == wanted


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise LabelFileError(
            f"There is no file {path.name} of labelled texts: give a .jsonl or .parquet file."
        )
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            for batch in pq.ParquetFile(path).iter_batches(256):
                yield from batch.to_pylist()
        except pa.ArrowException:
            raise LabelFileError(f"{path.name} is no readable Parquet file: write it again.") from None
        return
    with path.open("rb") as lines:
        try:
            yield from label_lines(lines, dict)
        except LabelLineError as error:
            raise LabelFileError(
                f"Line {error.number} of {path.name} is no JSON object in UTF-8: mend the line."
            ) from None
