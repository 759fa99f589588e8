"""Judges give a level or none: labels that are there, a file, or a language model's verdict."""

from __future__ import annotations

import json

import pytest

from safety_assets.annotation.seeds import AnnotationFileError
from safety_assets.audit.judges import FileJudge, LabelsJudge, OracleJudge, write_sample
from safety_assets.audit.sampling import Sampled
from safety_assets.batches import record_batches
from safety_assets.corpus.identity import text_hash
from safety_assets.generation import Usage
from safety_assets.sample_data.sample import intended_labels
from tests.support.scripted_model import MemoryAnswers, ScriptedModel


def sampled(number: int, text: str | None = None, document_id: str | None = None) -> Sampled:
    text = text or f"Page {number}."
    return Sampled(document_id or f"d{number}", text_hash(text), text, number % 6, "a")


def annotation(text: str, score: int | None, split: str, state: str = "scored") -> dict:
    return {
        "shard": "all", "annotation_id": text, "text": text, "text_hash": text_hash(text), "score": score,
        "category": "none", "split": split, "state": state, "labeller": "a person", "labeller_version": "1",
    }  # fmt: skip


def labels(path, *records) -> FileJudge:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return FileJudge(path)


def test_packaged_documents_are_what_they_were_written_as(lake):
    known = intended_labels()
    chosen = [*known][::9]
    sample = [sampled(number, document_id=name) for number, name in enumerate(chosen)] + [sampled(99)]
    assert LabelsJudge.of(lake).judge(sample) == [*(known[name].level for name in chosen), None]


def test_only_annotations_that_taught_no_classifier_judge(lake, written_by):
    rows = [
        annotation("Page 1.", 4, "test"),
        annotation("Page 2.", 5, "train"),
        annotation("Page 3.", 3, "calibration"),
        annotation("Page 4.", None, "test", "parse_failed"),
    ]
    batches = record_batches(rows, lake.schema("safety_annotations"))
    lake.replace_partition("safety_annotations", batches, written_by("all"))
    assert LabelsJudge.of(lake).judge([sampled(number) for number in range(6)]) == [None, 4, *[None] * 4]


def test_a_file_judges_the_texts_that_it_holds(tmp_path):
    judge = labels(tmp_path / "mine.jsonl", {"text": "Page 1.", "score": 5}, {"text": "Page 3.", "score": 0})
    assert judge.judge([sampled(number) for number in (3, 1, 2)]) == [0, 5, None]
    assert judge.name == "mine.jsonl"


def test_other_labels_in_a_file_are_another_version_of_the_judge(tmp_path):
    path, record = tmp_path / "mine.jsonl", {"text": "Page 1.", "score": 5}
    first = labels(path, record).version
    assert labels(path, record).version == first
    assert labels(path, record | {"score": 4}).version != first


def test_the_sample_that_is_written_can_be_labelled_in_part_and_read_back(tmp_path):
    sample = [sampled(number) for number in range(8)] + [sampled(9, "Two lines.\nAnd\u2028a third: ünï.")]
    path = write_sample(sample, tmp_path / "audit")
    assert FileJudge(path).judge(sample) == [None] * 9
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    # Whoever labels it sees nothing of the score that is audited.
    assert {tuple(record) for record in records} == {("text", "score", "category")}
    given = {record["text"]: number % 6 for number, record in enumerate(records) if number % 2}
    filled = labels(path, *(record | {"score": given.get(record["text"])} for record in records))
    assert filled.judge(sample) == [given.get(one.text) for one in sample]


def test_labels_that_somebody_filled_in_are_not_written_over(tmp_path):
    sample = [sampled(number) for number in range(4)]
    path = write_sample(sample, tmp_path)
    labels(path, {"text": "Page 1.", "score": 5, "category": "hate"})
    assert write_sample(sample[::-1], tmp_path) == path
    assert FileJudge(path).judge(sample) == [None, 5, None, None]
    other = write_sample(sample[1:], tmp_path)
    assert other != path
    assert FileJudge(other).judge(sample) == [None] * 4


@pytest.mark.parametrize(
    "record",
    [
        {"text": "A secret page.", "score": 6},
        {"text": "A secret page.", "score": -1},
        {"text": "A secret page.", "score": "4"},
        {"text": "A secret page.", "score": True},
        {"text": "A secret page.", "score": 4.5},
        {"text": "A secret page."},
        {"text": None, "score": 1},
        ["A secret page.", 4],
        "A secret page.",
    ],
)
def test_a_line_that_is_no_label_is_refused_by_its_number_and_without_its_text(tmp_path, record):
    judge = labels(tmp_path / "mine.jsonl", {"text": "Page 1.", "score": 1}, record)
    with pytest.raises(AnnotationFileError, match=r"Line 2 of mine\.jsonl") as caught:
        judge.judge([sampled(1)])
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AnnotationFileError, match=r"none\.jsonl"):
        FileJudge(tmp_path / "none.jsonl").judge([sampled(1)])


def test_bytes_that_are_no_text_are_no_label(tmp_path):
    (tmp_path / "odd.jsonl").write_bytes(b'{"text": "\xff\xfe", "score": 4}\n')
    with pytest.raises(AnnotationFileError, match="Line 1"):
        FileJudge(tmp_path / "odd.jsonl").judge([sampled(1)])


def oracle(answer, store=None) -> tuple[OracleJudge, ScriptedModel]:
    model = ScriptedModel(answer)
    return OracleJudge(model, store or MemoryAnswers(), Usage(), 4_000), model


def test_an_oracle_gives_the_level_of_its_verdict_in_the_order_of_the_sample():
    def answer(request):
        level = next(number for number in range(6) if f"Page {number}." in str(request.prompt))
        return f'{level}, "reason": "It says so."}}'

    sample = [sampled(number) for number in (4, 0, 5, 2)]
    judge, model = oracle(answer)
    assert judge.judge(sample) == [4, 0, 5, 2]
    assert judge.name == model.name
    assert judge.version.startswith("1 ")


@pytest.mark.parametrize("answer", ["I would rather not.", '9, "reason": "x"}', "null}", '"4"}', ""])
def test_what_an_oracle_does_not_say_is_no_level(answer):
    judge, _ = oracle(lambda request: answer)
    assert judge.judge([sampled(1), sampled(2)]) == [None, None]


def test_an_oracle_is_asked_once_about_a_document():
    store = MemoryAnswers()
    sample = [sampled(number) for number in range(3)]
    said = '3, "reason": "It says so."}'
    first, asked = oracle(lambda request: said, store)
    again, nothing = oracle(lambda request: said, store)
    assert first.judge(sample) == again.judge(sample)
    assert (len(asked.asked), len(nothing.asked)) == (3, 0)
