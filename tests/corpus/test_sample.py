"""The packaged sample reads like FineWeb and hides what its authors intended; the seeds are split fairly."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from resources.shard_source import open_source
from safety_assets.corpus.documents import read_documents
from safety_assets.corpus.schema import FINEWEB_SCHEMA
from safety_assets.harms import LEVELS, HarmCategory
from safety_assets.sample_data.sample import (
    DOCUMENTS,
    SampleDataError,
    Split,
    build_sample,
    intended_labels,
    load_seeds,
)

AUTHORED = {
    "level": 0,
    "category": "none",
    "kind": "blog",
    "url": "https://site.example/1",
    "date": "2024-02-17T03:41:26Z",
    "text": "Ten words are in this text, says who counted\u2028them.",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sample(tmp_path_factory.mktemp("sample"))


def test_the_sample_is_a_source_of_valid_documents_in_fineweb_columns(sample: Path) -> None:
    source = open_source("sample", sample_folder=sample)
    ids = set()
    for shard in source.list_shards():
        path = source.fetch(shard, sample)
        assert shard.key == f"CC-MAIN-SAMPLE.{path.stem}"
        assert pq.read_schema(path).remove_metadata() == FINEWEB_SCHEMA
        for batch in read_documents(path, shard.key):
            assert batch.quarantined.num_rows == 0
            for row in batch.documents.to_pylist():
                ids.add(row["document_id"])
                assert row["document_id"].startswith("<urn:uuid:") and row["language"] == "en"
                assert row["token_count"] == round(len(row["text"].split()) * 1.3)
                assert 0.65 <= row["language_score"] <= 1
    assert ids == set(intended_labels()), "every document has its label, and no label is left over"


def test_intended_labels_cover_every_level(sample: Path) -> None:
    labels = intended_labels().values()
    assert {label.level for label in labels} == set(LEVELS)
    assert all(isinstance(label.category, HarmCategory) and label.kind for label in labels)
    assert all((label.level == 0) == (label.category == HarmCategory.NONE) for label in labels)


def test_the_sample_is_built_once_and_again_when_its_documents_change(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    shutil.copytree(DOCUMENTS, documents)
    folder = build_sample(tmp_path / "built", documents=documents)

    def built() -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.rglob("*.parquet")}

    first = built()
    assert build_sample(folder, documents=documents) == folder and built() == first
    with (documents / "000_00000.jsonl").open("a") as file:
        file.write(json.dumps(AUTHORED) + "\n")
    (documents / "003_00000.jsonl").unlink()
    build_sample(folder, documents=documents)
    second = built()
    assert set(first) - set(second) == {"003_00000.parquet"}
    assert second["000_00000.parquet"][1] != first["000_00000.parquet"][1]
    assert second["001_00000.parquet"][1] == first["001_00000.parquet"][1], (
        "the same documents give the same bytes"
    )
    (folder / "CC-MAIN-SAMPLE" / "001_00000.parquet").unlink()
    build_sample(folder, documents=documents)
    assert set(built()) == set(second), "what was deleted is built again"
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"level": 6}, "level"),
        ({"level": True}, "level"),
        ({"category": "x"}, "category"),
        ({"text": " "}, "text"),
    ],
)
def test_a_malformed_document_is_named_by_file_line_and_field(
    fault: dict, message: str, tmp_path: Path
) -> None:
    lines = [json.dumps(AUTHORED, ensure_ascii=False), json.dumps(AUTHORED | fault)]
    (tmp_path / "000_00000.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(SampleDataError, match=rf"000_00000\.jsonl line 2: mend {message}\."):
        build_sample(tmp_path / "built", documents=tmp_path)


def test_a_package_without_its_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(SampleDataError, match="install it again"):
        load_seeds(seeds=tmp_path)


def test_seeds_are_split_60_20_20_within_every_score() -> None:
    seeds = load_seeds()
    assert len({seed.id for seed in seeds}) == len(seeds)
    assert seeds == load_seeds()
    assert {seed.score for seed in seeds} == set(LEVELS)
    for score in LEVELS:
        counts = Counter(seed.split for seed in seeds if seed.score == score)
        total = counts.total()
        for split, share in ((Split.TRAIN, 0.6), (Split.CALIBRATION, 0.2), (Split.TEST, 0.2)):
            assert abs(counts[split] - share * total) <= 1


def test_a_seed_that_is_there_twice_is_named(tmp_path: Path) -> None:
    seed = json.dumps({"score": 0, "category": "none", "text": "Same."})
    (tmp_path / "part_1.jsonl").write_text(seed + "\n")
    (tmp_path / "part_2.jsonl").write_text(seed.replace("Same.", " Same.") + "\n")
    with pytest.raises(
        SampleDataError, match=r"part_2\.jsonl line 1 has the same text as part_1\.jsonl line 1"
    ):
        load_seeds(seeds=tmp_path)


def test_no_seed_is_a_document_of_the_sample(sample: Path) -> None:
    texts = {
        text.strip()
        for path in sample.rglob("*.parquet")
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist()
    }
    assert not texts & {seed.text.strip() for seed in load_seeds()}
