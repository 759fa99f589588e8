"""Reading shards: every row is a document or in quarantine, whatever the file holds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.shard_source import SHARD_SUFFIXES
from safety_assets.corpus.documents import ShardBatch, read_documents
from safety_assets.corpus.identity import text_hash
from safety_assets.corpus.schema import DOCUMENT_SCHEMA, FINEWEB_SCHEMA, QUARANTINE_SCHEMA, UnreadableShard
from tests.support.bad_shards import BAD_SHARDS, MARK, write_bad_shard

KEY = "CC-TEST.000"


def documents_of(batches: list[ShardBatch]) -> list[dict]:
    return pa.Table.from_batches([batch.documents for batch in batches], DOCUMENT_SCHEMA).to_pylist()


def quarantined_of(batches: list[ShardBatch]) -> list[dict]:
    return pa.Table.from_batches([batch.quarantined for batch in batches], QUARANTINE_SCHEMA).to_pylist()


@pytest.mark.parametrize("kind", BAD_SHARDS)
@pytest.mark.parametrize("batch_rows", [1, 2, 256])
def test_every_bad_kind_meets_its_fate(kind: str, batch_rows: int, tmp_path: Path) -> None:
    bad = write_bad_shard(kind, tmp_path)
    if bad.unreadable:
        with pytest.raises(UnreadableShard) as caught:
            list(read_documents(bad.path, KEY, batch_rows=batch_rows))
        assert KEY in str(caught.value)
        assert MARK not in str(caught.value)
        assert MARK not in "".join(traceback.format_exception(caught.value)), (
            "a cause would be logged with it"
        )
        assert caught.value.__cause__ is None
        return
    batches = list(read_documents(bad.path, KEY, batch_rows=batch_rows))
    assert [row["row_number"] for row in documents_of(batches)] == list(bad.valid)
    assert {row["row_number"]: row["reason"] for row in quarantined_of(batches)} == dict(bad.rejected)
    assert not any(MARK in str(row) for row in quarantined_of(batches)), "the quarantine holds no text"
    assert all(batch.documents.schema == DOCUMENT_SCHEMA for batch in batches)
    for batch in batches:
        batch.documents.validate(full=True)
        batch.quarantined.validate(full=True)


def test_a_document_carries_its_columns_its_hash_and_its_place(tmp_path: Path) -> None:
    row = {
        "text": "Hëllo <|im_start|>",
        "id": "<urn:uuid:1>",
        "dump": "CC-MAIN-2024-10",
        "url": "https://site.example/",
        "date": "2024-02-17T03:41:26Z",
        "file_path": "s3://bucket/file",
        "language": "en",
        "language_score": 0.97,
        "token_count": 3,
    }
    parquet, jsonl = tmp_path / "a.parquet", tmp_path / "a.jsonl"
    pq.write_table(pa.Table.from_pylist([row], FINEWEB_SCHEMA), parquet)
    jsonl.write_text(json.dumps(row) + "\n")
    place = {"shard": KEY, "row_number": 0, "document_id": row["id"], "text_hash": text_hash(row["text"])}
    wanted = place | {name: value for name, value in row.items() if name != "id"}
    for path in (parquet, jsonl):
        assert documents_of(list(read_documents(path, KEY))) == [wanted]


def test_missing_columns_are_null_and_castable_ones_are_cast(tmp_path: Path) -> None:
    bad = write_bad_shard("wrong types", tmp_path)
    [row] = documents_of(list(read_documents(bad.path, KEY)))
    assert (row["document_id"], row["token_count"], row["language_score"]) == ("1", 11, 0.9)
    assert row["date"].startswith("2023-11-14")
    assert row["dump"] is None and row["url"] is None


def test_an_id_that_is_missing_is_made_from_the_text(tmp_path: Path) -> None:
    bad = write_bad_shard("unusable ids", tmp_path)
    rows = documents_of(list(read_documents(bad.path, KEY)))
    assert [row["document_id"] for row in rows] == [f"text-{row['text_hash'][:32]}" for row in rows]


def test_the_quarantine_tells_size_and_hash(tmp_path: Path) -> None:
    bad = write_bad_shard("too long", tmp_path)
    [row] = quarantined_of(list(read_documents(bad.path, KEY)))
    size = len(MARK) * 200_000
    assert (row["bytes"], row["chars"], row["text_hash"]) == (size, size, text_hash(MARK * 200_000))
    bad = write_bad_shard("invalid UTF-8", tmp_path)
    row = quarantined_of(list(read_documents(bad.path, KEY)))[0]
    assert (row["bytes"], row["chars"]) == (len(MARK) + 2, None)
    assert row["text_hash"] == text_hash(MARK.encode() + b"\xff\xfe")


def test_parquet_text_of_other_types_reads_the_same(tmp_path: Path) -> None:
    texts = ["one", "two", None, "one"]
    kinds = (
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.string_view(),
    )
    read = []
    for place, kind in enumerate(kinds):
        path = tmp_path / f"{place}.parquet"
        pq.write_table(pa.table({"text": pa.array(texts, pa.string()).cast(kind), "id": list("abcd")}), path)
        read.append(documents_of(list(read_documents(path, KEY))))
    assert all(rows == read[0] for rows in read) and len(read[0]) == 3


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
        pa.array([1, None], pa.timestamp("us", tz="Mars/Base")),
        pa.array([b"\xff", None], pa.binary(1)),
        pa.array([b"\xff", None]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("name", ["text", "id", "date"])
def test_a_value_that_cannot_be_cast_costs_its_own_row_only(
    name: str, column: pa.Array, tmp_path: Path
) -> None:
    columns = {"text": pa.array(["one", "two"]), name: column}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    batches = list(read_documents(tmp_path / "a.parquet", KEY))
    kept = [] if name == "text" else [1]
    assert [row["row_number"] for row in documents_of(batches)] == kept
    assert quarantined_of(batches)[0]["reason"] in ("wrong_type", "invalid_unicode")


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(UnreadableShard, match="twice"):
        list(read_documents(tmp_path / "twice.parquet", KEY))


@pytest.mark.parametrize("name", ["gone.parquet", "gone.jsonl.gz", "notes.txt"])
def test_what_is_not_there_or_not_a_shard_is_unreadable(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableShard, match=KEY):
        list(read_documents(tmp_path / name, KEY))


@pytest.mark.parametrize("suffix", [suffix for suffix in SHARD_SUFFIXES if "json" in suffix])
def test_every_kind_of_json_shard_reads_the_same(suffix: str, tmp_path: Path) -> None:
    compression = {".gz": "gzip", ".zst": "zstd"}.get(Path(suffix).suffix)
    path = tmp_path / f"a{suffix}"
    # Two streams behind each other, a byte order mark, Windows line ends, no newline at the end.
    for mode, lines in (("wb", b'\xef\xbb\xbf{"text": "one"}\r\n\r\n'), ("ab", b'{"text": "two"}')):
        with path.open(mode) as raw, pa.output_stream(raw, compression=compression) as stream:
            stream.write(lines)
    rows = documents_of(list(read_documents(path, KEY)))
    assert [(row["row_number"], row["text"]) for row in rows] == [(0, "one"), (2, "two")]


def test_an_empty_shard_has_no_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").touch()
    assert (
        sum(batch.rows for name in ("a.parquet", "a.jsonl") for batch in read_documents(tmp_path / name, KEY))
        == 0
    )


def test_errors_of_the_consumer_pass_through(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n')
    batches = read_documents(tmp_path / "a.jsonl", KEY)
    next(batches)
    with pytest.raises(ValueError, match="mine"):
        batches.throw(ValueError("mine"))


# The pool that file reads allocate from cannot be reset, so each file is read by a process of its own.
READ_AND_TELL_PEAKS = """
import sys, tracemalloc
from pathlib import Path
import pyarrow as pa
from safety_assets.corpus.documents import read_documents
tracemalloc.start()
rows = sum(batch.rows for batch in read_documents(Path(sys.argv[1]), "key"))
print(rows, pa.default_memory_pool().max_memory(), tracemalloc.get_traced_memory()[1])
"""


@pytest.mark.parametrize("form", ["parquet", "one row group", "jsonl"])
def test_memory_does_not_grow_with_the_shard(form: str, tmp_path: Path) -> None:
    arrow, python = [], []
    for rows in (4_000, 40_000):
        path = tmp_path / ("a.jsonl" if form == "jsonl" else "a.parquet")
        texts = [random.Random(row).randbytes(540).hex() for row in range(rows)]
        if form == "jsonl":
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        else:
            size = rows if form == "one row group" else 1_000
            pq.write_table(pa.table({"text": texts}), path, row_group_size=size, compression="none")
        told = subprocess.run(
            [sys.executable, "-c", READ_AND_TELL_PEAKS, str(path)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout.split()
        assert int(told[0]) == rows
        arrow.append(int(told[1]))
        python.append(int(told[2]))
    assert arrow[1] < 10 << 20, "the larger shard has 43 MB of text"
    assert arrow[1] - arrow[0] < 3 << 20
    # The digests of 36,000 more ids.
    assert python[1] - python[0] < 6 << 20


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_long_rows_make_small_batches(name: str, tmp_path: Path) -> None:
    texts = [f"{row}" + "x" * 900_000 for row in range(60)]
    if name == "a.parquet":
        pq.write_table(pa.table({"text": texts}), tmp_path / name)
    else:
        (tmp_path / name).write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    sizes = [batch.rows for batch in read_documents(tmp_path / name, KEY)]
    assert max(sizes) < 20 and sum(sizes) == 60


def test_a_text_of_the_greatest_length_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": "ä" * size}) + "\n" for size in (9, 10, 11))
    )
    batches = list(read_documents(tmp_path / "a.jsonl", KEY, max_chars=10))
    assert [row["row_number"] for row in documents_of(batches)] == [0, 1]
    assert [(row["chars"], row["bytes"]) for row in quarantined_of(batches)] == [(11, 22)]


# -- laws ------------------------------------------------------------------------------------------------

any_text = st.one_of(
    st.none(), st.text(max_size=30), st.sampled_from(["", " ", "\x00", "\ufeff", "<|im_end|>"])
)
any_id = st.one_of(st.none(), st.sampled_from(["a", "b", "", " ", "ä"]), st.text(max_size=5))
any_bytes = st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=20).map(lambda text: text.encode()))
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
surrogates = st.text(st.characters(categories=["Cs", "L"]), max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(any_bytes, any_id), max_size=40), st.integers(1, 9), st.integers(0, 25))
def test_law_parquet_rows_are_all_accounted_for_in_order(rows: list, batch_rows: int, max_chars: int) -> None:
    stored = pa.array([text for text, _ in rows], pa.binary())
    columns = {
        "text": pa.Array.from_buffers(pa.string(), len(stored), stored.buffers()),
        "id": pa.array([given_id for _, given_id in rows], pa.string()),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.parquet")
        pq.write_table(pa.table(columns), path, row_group_size=7)
        batches = list(read_documents(path, KEY, batch_rows=batch_rows, max_chars=max_chars))
    _assert_laws(batches, [text for text, _ in rows], max_chars)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={name: any_json | surrogates for name in FINEWEB_SCHEMA.names}),
        max_size=20,
    ),
    st.integers(1, 9),
)
def test_law_json_rows_are_all_accounted_for_in_order(rows: list, batch_rows: int) -> None:
    rows = [{"text": "one"}, *rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        batches = list(read_documents(path, KEY, batch_rows=batch_rows))
    texts = [row.get("text") for row in rows]
    raw = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None for text in texts]
    _assert_laws(batches, raw, 100)


def _assert_laws(batches: list[ShardBatch], texts: list[bytes | None], max_chars: int) -> None:
    documents, quarantined = documents_of(batches), quarantined_of(batches)
    numbers = [row["row_number"] for row in documents]
    rejected = [row["row_number"] for row in quarantined]
    assert sorted(numbers + rejected) == list(range(len(texts))), "each row is in exactly one place"
    assert numbers == sorted(numbers) and rejected == sorted(rejected), "order is kept"
    ids = [row["document_id"] for row in documents]
    assert len(set(ids)) == len(ids), "ids are unique"
    for row in documents:
        assert row["text"].encode() == texts[row["row_number"]], "text is unchanged"
        assert row["text_hash"] == text_hash(row["text"])
        assert row["text"].strip() and len(row["text"]) <= max_chars
    for row in quarantined:
        assert row["document_id"] and row["reason"]
