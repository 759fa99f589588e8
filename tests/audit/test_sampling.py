"""The sample: the same documents however the corpus is sharded, and enough of every score and source."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from resources.lake import Lake, LakeSettings
from safety_assets.audit.sampling import corpus_strata, draw_sample, strata_of
from safety_assets.batches import record_batches
from safety_assets.corpus.identity import text_hash
from tests.audit.scored_lake import SCORER, corpus, write_scored

DOCUMENTS = corpus(
    (0, "dump-a", 40), (0, "dump-b", 12), (0, "dump-c", 3), (0, "dump-d", 2), (0, None, 1),
    (4, "dump-a", 3), (4, "dump-b", 9), (5, "dump-c", 4), (None, "dump-a", 6),
)  # fmt: skip


@pytest.fixture
def empty_lake(tmp_path):
    """Makes empty lakes."""
    opened = []

    def make() -> Lake:
        folder = tmp_path / f"lake{len(opened)}"
        opened.append(Lake(LakeSettings(f"sqlite:{folder}/catalog.sqlite", f"{folder}/data")))
        return opened[-1]

    yield make
    for lake in opened:
        lake.close()


def drawn(lake, shards, *, per_stratum=5, seed=0, most_sources=2):
    return draw_sample(lake, SCORER, shards, most_sources, per_stratum=per_stratum, seed=seed)


def test_the_same_documents_are_drawn_whatever_the_sharding(empty_lake):
    samples = []
    for shards in (1, 2, 5):
        lake = empty_lake()
        keys = write_scored(lake, DOCUMENTS if shards < 5 else DOCUMENTS[::-1], shards)
        samples.append(drawn(lake, keys))
        assert samples[-1] == drawn(lake, keys)
    assert samples[0] == samples[1] == samples[2]
    assert drawn(lake, keys, seed=1) != samples[0]


def test_what_a_classifier_learned_from_is_not_drawn_and_still_counts(lake, written_by):
    keys = write_scored(lake, DOCUMENTS, 1)
    learned, tested = DOCUMENTS[0], DOCUMENTS[1]
    rows = [
        {
            "shard": "all", "annotation_id": f"a{one.number}", "text": one.text, "text_hash": text_hash(one.text),
            "score": 0, "category": "none", "split": split, "state": "scored", "labeller": "me", "labeller_version": "1",
        }
        for one, split in ((learned, "calibration"), (tested, "test"))
    ]  # fmt: skip
    table = "safety_annotations"
    lake.replace_partition(table, record_batches(rows, lake.schema(table)), written_by("all"))
    found = {one.document_id for one in drawn(lake, keys, per_stratum=1_000)}
    assert f"d{learned.number}" not in found
    assert f"d{tested.number}" in found
    assert corpus_strata(lake, SCORER, keys, 12)[0, "dump-a"] == 40


def test_copies_of_one_text_are_drawn_one_by_one(lake):
    copies = [replace(one, copy_of=0) if one.number < 30 else one for one in DOCUMENTS]
    keys = write_scored(lake, copies, 1)
    samples = [
        [
            one.text
            for one in drawn(lake, keys, per_stratum=10, seed=seed)
            if (one.score, one.source) == (0, "dump-a")
        ]
        for seed in range(8)
    ]
    # Of 40 documents 30 are copies. In the order of their texts, all or none of a sample would be.
    shares = [sample.count(DOCUMENTS[0].text) / 10 for sample in samples]
    assert sum(0 < share < 1 for share in shares) >= 6


def test_every_stratum_gives_as_many_as_asked_or_all_it_has(lake):
    sample = drawn(lake, write_scored(lake, DOCUMENTS, 3))
    assert Counter((one.score, one.source) for one in sample) == {
        (0, "dump-a"): 5, (0, "dump-b"): 5, (0, "others"): 5, (4, "dump-a"): 3, (4, "dump-b"): 5, (5, "others"): 4,
    }  # fmt: skip
    assert len({one.document_id for one in sample}) == len(sample)
    texts = {f"d{one.number}": (one.text, one.score) for one in DOCUMENTS}
    assert all(texts[one.document_id] == (one.text, one.score) for one in sample)


def test_an_audit_reads_scores_at_their_version_and_only_of_the_texts_that_were_scored(lake, written_by):
    [key] = write_scored(lake, DOCUMENTS, 1)
    scores, before = lake.version("scored_fineweb", key), drawn(lake, [key])
    write_scored(lake, [replace(one, score=2) for one in DOCUMENTS], 1)
    assert {one.score for one in drawn(lake, [key])} == {2}
    assert draw_sample(lake, SCORER, [key], 2, scores, per_stratum=5, seed=0) == before
    assert {score for score, _ in corpus_strata(lake, SCORER, [key], 2, scores)} == {0, 4, 5}
    # Another text under the same id was never scored.
    with lake.read("fineweb", partition=key) as reader:
        rows = reader.read_all().to_pylist()
    rewritten = [row | {"text": "Another page.", "text_hash": f"{n:064x}"} for n, row in enumerate(rows)]
    lake.replace_partition("fineweb", record_batches(rewritten, lake.schema("fineweb")), written_by(key))
    assert drawn(lake, [key]) == []
    assert corpus_strata(lake, SCORER, [key], 2) == {}


def test_small_sources_count_together_and_no_scored_document_is_missing(lake):
    shards = write_scored(lake, DOCUMENTS, 2)
    sizes = corpus_strata(lake, SCORER, shards, 2)
    assert sizes == {
        (0, "dump-a"): 40, (0, "dump-b"): 12, (0, "others"): 6, (4, "dump-a"): 3, (4, "dump-b"): 9, (5, "others"): 4,
    }  # fmt: skip
    # With room for all, the documents without a dump are a source as well.
    assert corpus_strata(lake, SCORER, shards, 9)[0, "unknown"] == 1
    assert sum(corpus_strata(lake, SCORER, shards, 9).values()) == sum(sizes.values())


def test_only_rows_of_this_classifier_and_of_these_shards_are_read(lake):
    # A version whose name begins like this one is another.
    other = [replace(one, scorer="head@12", number=one.number + 100) for one in DOCUMENTS[:30]]
    shards = write_scored(lake, [*DOCUMENTS, *other], 2)
    numbers = {one.number for one in DOCUMENTS}
    sample = drawn(lake, shards, per_stratum=1_000)
    assert {int(one.document_id[1:]) for one in sample} == {
        one.number for one in DOCUMENTS if one.score is not None
    }
    assert sum(corpus_strata(lake, SCORER, shards, 2).values()) == len(sample)
    first = drawn(lake, shards[:1], per_stratum=1_000)
    assert 0 < len(first) < len(sample)
    assert {int(one.document_id[1:]) % 2 for one in first} == {0}
    assert numbers.isdisjoint(one.number for one in other)
    assert drawn(lake, shards, most_sources=2, per_stratum=1)[0].source == "dump-a"
    assert draw_sample(lake, "head", shards, 2, per_stratum=5, seed=0) == []
    assert corpus_strata(lake, "head", shards, 2) == {}


def test_strata_hold_what_the_judge_said_and_what_it_left_open(lake):
    shards = write_scored(lake, DOCUMENTS)
    sample = drawn(lake, shards)
    judged = [None if one.score == 5 else one.score for one in sample]
    strata = {
        (stratum.score, stratum.source): stratum
        for stratum in strata_of(corpus_strata(lake, SCORER, shards, 2), sample, judged)
    }
    assert strata[0, "dump-a"].found == (5, 0, 0, 0, 0, 0)
    assert strata[4, "dump-a"].found == (0, 0, 0, 0, 3, 0)
    assert (strata[5, "others"].judged, strata[5, "others"].unjudged) == (0, 4)
    assert sum(stratum.documents for stratum in strata.values()) == 74
