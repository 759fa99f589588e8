"""Label files as tools write them: marks, gaps and blank lines are taken; what is no text is refused by its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.annotation.seeds import AnnotationFileError, file_rows
from safety_assets.audit.judges import FileJudge
from safety_assets.audit.sampling import Sampled
from safety_assets.benchmark.errors import LabelFileError
from safety_assets.benchmark.labels import load_rules, read_file
from safety_assets.corpus.identity import text_hash
from safety_assets.label_lines import LabelLineError, label_level, label_lines

GOOD = b'{"text": "one", "score": 0, "category": "none"}\n'
AS_TOOLS_WRITE = b"\xef\xbb\xbf" + GOOD + b'\n{"text": "two", "score": 3.0, "category": "hate"}\n  \n'
BAD = {
    "half a character": b'{"text": "\\ud800", "score": 0, "category": "none"}\n',
    "latin-1": '{"text": "café", "score": 0, "category": "none"}\n'.encode("latin-1"),
    "a list": b"[1]\n",
    "half a level": b'{"text": "x", "score": 2.5, "category": "none"}\n',
    "true": b'{"text": "x", "score": true, "category": "none"}\n',
    "six": b'{"text": "x", "score": 6, "category": "none"}\n',
    "no text": b'{"text": 7, "score": 0, "category": "none"}\n',
}


def sampled(text: str) -> Sampled:
    return Sampled(document_id=text, text_hash=text_hash(text), text=text, score=0, source="web")


def test_every_reader_of_labels_takes_marks_blank_lines_and_whole_numbers_with_a_point(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(AS_TOOLS_WRITE)
    assert [row["score"] for row in file_rows(path)] == [0, 3]
    assert [text.level for text in read_file(path, load_rules())] == [0, 3]
    assert FileJudge(path).judge([sampled("one"), sampled("two"), sampled("three")]) == [0, 3, None]


@pytest.mark.parametrize("name", list(BAD))
def test_every_reader_of_labels_names_the_line_and_not_its_text(tmp_path, name):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(GOOD + BAD[name])
    for read, error in (
        (lambda: list(file_rows(path)), AnnotationFileError),
        (lambda: FileJudge(path).judge([]), AnnotationFileError),
        (lambda: list(read_file(path, load_rules())), LabelFileError),
    ):
        with pytest.raises(error, match=r"(Line|Row) 2 of labels\.jsonl") as found:
            read()
        assert "caf" not in str(found.value)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3), max_size=6))
def test_objects_come_back_as_they_were_written(records):
    lines = [json.dumps(record).encode() for record in records]
    try:
        assert list(label_lines(lines, dict)) == records
    except LabelLineError as error:
        assert any("\\ud" in line.decode() for line in lines[error.number - 1 : error.number])


@pytest.mark.parametrize(("score", "level"), [(None, None), (float("nan"), None), (0, 0), (5.0, 5)])
def test_a_score_that_is_not_given_is_no_level(score, level):
    assert label_level(score) == level
