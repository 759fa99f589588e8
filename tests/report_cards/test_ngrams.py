"""Counting phrases: both ways agree with a reader who looks at every position."""

from __future__ import annotations

import tempfile
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.harms import HARM_CATEGORIES
from safety_assets.report_cards import ngrams
from safety_assets.report_cards.errors import IndexBuildError, QueryError
from safety_assets.report_cards.ngrams import NgramCounts, count_ngrams, load_queries, normalise

QUERIES = {"one": ("a", "a b", "b a b"), "two": ("ab", "é a", "a a a", "never said")}
# Different documents, so that none is dropped as a repeat; no query occurs in them.
FILLER = [" ".join(f"page{number} word{place}" for place in range(60)) for number in range(130)]

DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "ab", "é", "A,", "b.", "\n", "a_a", "zz"]), max_size=60).map(
        " ".join
    ),
    max_size=12,
)


def looked_up(texts: list[str], query: str) -> int:
    bounded, folded = f" {normalise(query).strip()} ", list(map(normalise, texts))
    return sum(text.startswith(bounded, at) for text in folded for at in range(len(text)))


def counted(texts: list[str], method: str = "auto", queries: dict = QUERIES) -> NgramCounts:
    with tempfile.TemporaryDirectory() as folder:
        return count_ngrams(iter(texts), queries, workdir=Path(folder), method=method)


@settings(max_examples=12, deadline=None)
@given(DOCUMENTS)
def test_infini_gram_scan_and_reader_agree(texts):
    texts = [*texts, *FILLER, *texts[:3]]
    indexed, scanned = counted(texts, "infini-gram"), counted(texts, "scan")
    assert (indexed.method, scanned.method) == ("infini-gram", "scan")
    assert indexed.queries == scanned.queries
    assert all(row.count == looked_up(texts, row.query) for row in indexed.queries)
    assert (indexed.documents, indexed.words) == (scanned.documents, scanned.words)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_counts_add_up_and_do_not_depend_on_order(some, others):
    def table(texts: list[str]) -> list[int]:
        return [row.count for row in counted(texts, "scan").queries]

    together = [left + right for left, right in zip(table(some), table(others), strict=True)]
    assert table(some + others) == table([*reversed(others), *reversed(some)]) == together


def test_overlapping_occurrences_all_count():
    assert counted(["a a a a"]).by_query()["two"]["a a a"] == 2
    assert counted(["b a b a b", *FILLER]).by_query()["one"]["b a b"] == 2


def test_words_are_whole_and_never_reach_across_documents():
    queries = {"weapons": ("bomb", "pipe bomb")}
    found = counted(["Bombastic BOMB, bomb-shell; bombs", "a pipe", "bomb"], queries=queries).by_query()[
        "weapons"
    ]
    assert found == {"bomb": 3, "pipe bomb": 0}


def test_repeated_documents_count_each_time_and_are_indexed_once():
    texts = [*FILLER, *["a b"] * 5, *FILLER]
    counts = counted(texts, "infini-gram")
    assert counts.by_query()["one"]["a b"] == 5
    assert counts.documents == 265
    assert counts.indexed_documents == len(FILLER) + 1


def test_a_long_document_is_scanned_and_still_counts():
    long = "a b " * 20_000
    counts = counted([*FILLER, long], "infini-gram")
    assert counts.by_query()["one"]["a b"] == 20_000
    assert counts.indexed_documents == len(FILLER)


@pytest.mark.parametrize("texts", [[], [""], ["...", "\x00\ud800"], ["a b"]])
def test_a_corpus_too_small_to_index_is_scanned(texts):
    counts = counted(texts)
    assert counts.method == "scan"
    assert counts.documents == len(texts)
    assert counts.words == sum(len(normalise(text).split()) for text in texts)
    with pytest.raises(IndexBuildError, match=r"needs 100,000 bytes"):
        counted(texts, "infini-gram")


@pytest.mark.parametrize("name", ["with space", "tokenized_mixture", "a;b", "quote'"])
def test_a_folder_that_the_indexer_would_mangle_is_scanned(tmp_path, name):
    counts = count_ngrams(FILLER, QUERIES, workdir=tmp_path / name)
    assert counts.method == "scan"


def test_nothing_stays_in_the_working_folder(tmp_path):
    count_ngrams([*FILLER, "a b"], QUERIES, workdir=tmp_path / "new", method="infini-gram")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_tampered_index_is_noticed_and_removed(tmp_path, monkeypatch):
    def build_and_tamper(folder: Path, *, cores: int | None) -> None:
        build(folder, cores=cores)
        table = folder / "table.0"
        content = bytearray(table.read_bytes())
        content[30_000:30_003] = content[60_000:60_003]
        table.write_bytes(content)

    build = ngrams.build_index
    monkeypatch.setattr(ngrams, "build_index", build_and_tamper)
    with pytest.raises(IndexBuildError, match="permutation"):
        count_ngrams(FILLER, QUERIES, workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(ngrams, "_count_indexed", lambda *_: None)
    monkeypatch.setattr(ngrams, "_REPEAT_BITS", 1 << 16)
    texts = (f"{number} " + "lorem ipsum dolor sit " * 400 for number in range(1_000))
    tracemalloc.start()
    count_ngrams(texts, QUERIES, workdir=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6  # of 9 MB of text


@given(st.text())
def test_folding_again_changes_nothing(text):
    folded = normalise(text)
    assert normalise(folded) == folded
    assert folded == "" or (folded[0] == folded[-1] == " " and "  " not in folded)
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


def test_folding_sees_through_disguises():
    assert normalise("Bo\u00admb\u200b THREAT") == normalise("ｂｏｍｂ threat") == " bomb threat "
    assert normalise("identity_theft—Café") == " identity theft café "
    assert normalise(" \n!?") == ""


def test_the_packaged_lists_are_whole():
    queries = load_queries()
    assert list(queries) == [str(category) for category in HARM_CATEGORIES]
    everything = [query for group in queries.values() for query in group]
    assert len(set(everything)) == len(everything) == 14 * 50
    for group in queries.values():
        assert len(group) == 50
        assert all(1 <= len(query.split()) <= 4 for query in group)
        # One occurrence must not count twice in its category.
        assert not [(a, b) for a in group for b in group if a != b and f" {a} " in f" {b} "]


def test_the_packaged_lists_are_written_as_they_are_matched():
    for file in ngrams.PACKAGED_QUERIES.glob("*.txt"):
        first, *lines = file.read_text("utf-8").splitlines()
        assert first.startswith("# ")
        assert all(line == normalise(line).strip() for line in lines)


def test_users_can_bring_their_own_lists(tmp_path):
    (tmp_path / "hate.txt").write_text("# mine\n\nHate-Speech\n")
    (tmp_path / "animals.txt").write_text("cat\nblack cat\n")
    (tmp_path / "violent_crimes.txt").write_text("armed robbery\n")
    lists = load_queries(tmp_path)
    assert list(lists.items()) == [
        ("violent_crimes", ("armed robbery",)),
        ("hate", ("hate speech",)),
        ("animals", ("cat", "black cat")),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# only a comment\n", "pets has no query"),
        ("cat\ndog\nCAT!\n", "Query 3 of category pets .'CAT!'. stands in the list twice"),
        ("one two three four five six seven\n", "more than 6 words"),
        ("cat\n???\n", "Query 2 .* has no word"),
        (b"\xff\xfe", "pets.txt is not UTF-8"),
    ],
)
def test_a_malformed_list_is_refused_with_its_place(tmp_path, content, message):
    (tmp_path / "pets.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(QueryError, match=message):
        load_queries(tmp_path)


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(QueryError, match="is no folder"):
        load_queries(tmp_path / "absent")
    with pytest.raises(QueryError, match="holds no query list"):
        load_queries(tmp_path)
    with pytest.raises(QueryError, match="no category"):
        count_ngrams([], {}, workdir=tmp_path)
