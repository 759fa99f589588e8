"""Hashes of texts and ids of documents."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.corpus.identity import SeenIds, document_ids, text_hash, text_hashes


def test_a_text_hash_is_the_sha256_of_its_utf8() -> None:
    assert text_hash("ä") == text_hash(b"\xc3\xa4") == hashlib.sha256("ä".encode()).hexdigest()
    assert text_hashes(pa.array([b"a", None, b""], pa.large_binary())) == [
        text_hash("a"),
        None,
        text_hash(""),
    ]


@pytest.mark.parametrize("given_id", ["<urn:uuid:1>", "ä", "x" * 256, "<script>"])
def test_a_usable_id_is_kept(given_id: str) -> None:
    assert document_ids(pa.array([given_id]), ["f" * 64], "shard", [0]) == [given_id]


@pytest.mark.parametrize(
    "given_id", [None, "", " ", "a b", "a\n", "a\x1b[2J", "\u202e", "a\u2028", "x" * 257]
)
def test_an_id_that_logs_cannot_show_is_replaced(given_id: str | None) -> None:
    ids = pa.array([given_id, given_id], pa.string())
    assert document_ids(ids, ["f" * 64, None], "shard", [3, 4]) == [f"text-{'f' * 32}", "shard#4"]


@given(st.lists(st.text(max_size=3)))
def test_law_an_id_is_new_exactly_once(ids: list[str]) -> None:
    seen = SeenIds()
    assert [seen.add(one) for one in ids] == [one not in ids[:place] for place, one in enumerate(ids)]
