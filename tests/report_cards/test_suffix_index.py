"""The index: right at every size, and never trusted unseen."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from infini_gram.engine import InfiniGramEngine

from safety_assets.report_cards import suffix_index
from safety_assets.report_cards.errors import IndexBuildError
from safety_assets.report_cards.suffix_index import (
    IndexText,
    build_index,
    can_index,
    count_patterns,
    verify_index,
)

PATTERNS = [b" a ", b" a b ", b" b b b ", " é ".encode(), b" zz "]


def written(folder: Path, documents: list[bytes]) -> IndexText:
    with IndexText(folder) as text:
        for document in documents:
            text.append(document)
    return text


def occurrences(document: bytes, pattern: bytes) -> int:
    return sum(document.startswith(pattern, at) for at in range(len(document)))


@pytest.fixture
def index(tmp_path) -> Path:
    written(tmp_path, [f" document {number} a b a b ".encode() for number in range(6_000)])
    build_index(tmp_path, cores=64)
    return tmp_path


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "ab", "é"]), min_size=1, max_size=50).map(
            lambda words: f" {' '.join(words)} "
        ),
        min_size=1,
        max_size=8,
    )
)
def test_one_job_is_right_however_small_the_text(texts):
    documents = [text.encode() for text in texts]
    with tempfile.TemporaryDirectory() as name:
        text = written(Path(name), documents)
        assert list(text.documents()) == documents
        build_index(Path(name), cores=8)
        verify_index(Path(name))
        counts = count_patterns(Path(name), PATTERNS)
    assert counts == {pattern: sum(occurrences(text, pattern) for text in documents) for pattern in PATTERNS}


def test_more_cores_than_the_text_can_feed_do_no_harm(index):
    verify_index(index)
    assert count_patterns(index, [b" a b "]) == {b" a b ": 12_000}


def test_documents_come_back_across_read_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(suffix_index, "_CHUNK", 7)
    documents = [b"x" * length for length in range(1, 30)]
    assert list(written(tmp_path, documents).documents()) == documents


def test_a_truncated_table_is_noticed(index):
    content = (index / "table.0").read_bytes()
    (index / "table.0").write_bytes(content[:-3])
    with pytest.raises(IndexBuildError, match="instead of"):
        verify_index(index)


def test_a_repeated_pointer_is_noticed(index):
    content = bytearray((index / "table.0").read_bytes())
    content[0:3] = content[3:6]
    (index / "table.0").write_bytes(content)
    with pytest.raises(IndexBuildError, match="permutation"):
        verify_index(index)


def test_a_permutation_out_of_order_is_noticed(index):
    content = (index / "table.0").read_bytes()
    half = len(content) // 6 * 3
    (index / "table.0").write_bytes(content[half:] + content[:half])
    with pytest.raises(IndexBuildError, match="out of order"):
        verify_index(index)


def test_a_failing_indexer_is_an_error_with_its_words(tmp_path):
    written(tmp_path, [])
    with pytest.raises(IndexBuildError, match="exit status 1"):
        build_index(tmp_path)


@pytest.mark.parametrize("answer", [{"error": "no such thing"}, {"count": 3, "approx": True}])
def test_an_answer_that_is_no_exact_count_is_an_error(index, monkeypatch, answer):
    monkeypatch.setattr(InfiniGramEngine, "count", lambda *_: answer)
    with pytest.raises(IndexBuildError, match=r"no such thing|approximate"):
        count_patterns(index, [b" a "])


def test_small_texts_and_strange_paths_are_not_indexed(tmp_path):
    assert not can_index(written(tmp_path, [b"x" * 99_000]))
    assert can_index(written(tmp_path, [b"x" * 100_000]))
    strange = tmp_path / "tokenized here"
    strange.mkdir()
    assert not can_index(written(strange, [b"x" * 100_000]))
