"""Refinement: what the scorers disagree about is labelled, once, beside the labels that are there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import dagster as dg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.encoder import open_encoder
from resources.errors import LakeError
from resources.lake import GateOutcome
from resources.profile import load_profile, safety_home
from safety_assets.annotation import refinement
from safety_assets.annotation.checks import annotation_gates
from safety_assets.annotation.refinement import (
    FileOracle,
    ModelOracle,
    OracleLabel,
    disputed_documents,
    refine_annotations,
)
from safety_assets.annotation.seeds import seed_rows, split_of
from safety_assets.batches import record_batches
from safety_assets.corpus.identity import text_hash
from safety_assets.generation import Usage
from safety_assets.harms import ScoreState
from safety_assets.scoring.examples import examples_of
from safety_assets.scoring.head_training import retrain_head
from safety_assets.scoring.packaged import packaged_classifier
from safety_assets.scoring.reading import DocumentReader
from tests.support.instance import new_home, small_profile
from tests.support.scripted_model import MemoryAnswers, ScriptedModel

TABLE = "safety_annotations"
SURE, TORN = (0.96, 0.008, 0.008, 0.008, 0.008, 0.008), (0.3, 0.2, 0.2, 0.1, 0.1, 0.1)


@dataclass(frozen=True)
class Page:
    """A scored document; the score of both scorers is their maximum."""

    text: str
    embedding: int | None = 0
    llm: int | None = 0
    probabilities: Sequence[float] = SURE
    category: str = "none"

    @property
    def hash(self) -> str:
        return text_hash(self.text)


@dataclass
class Oracle:
    """Labels every text ``score`` and remembers what it was asked; without a score it cannot say."""

    score: int | None = 3
    version: str = "1"
    name: str = "reader"
    known: Sequence[str] | None = None
    asked: list[str] = field(default_factory=list)

    def label(self, documents):
        self.asked += [one.text for one in documents]
        state = ScoreState.SCORED if self.score is not None else ScoreState.REFUSED
        return [OracleLabel(state, self.score) for _ in documents]


def plain(count: int, start: int = 0) -> list[Page]:
    return [Page(f"A plain page, number {number}.") for number in range(start, start + count)]


def write_pages(lake, written_by, shards: dict[str, Iterable[Page]]) -> list[str]:
    """Documents and their scores, with gates that passed; gives the shards' keys."""
    for shard, pages in shards.items():
        documents, scores = [], []
        for number, page in enumerate(pages):
            shared = {"shard": shard, "document_id": f"{shard}-{number}", "text_hash": page.hash}
            known = [score for score in (page.embedding, page.llm) if score is not None]
            documents.append(shared | {"row_number": number, "text": page.text})
            heard = {
                "tokens": 5, "category": page.category, "safety_score": max(known) if len(known) == 2 else None,
                "state": "scored" if len(known) == 2 else "missing", "embedding_score": page.embedding,
                "embedding_state": "missing" if page.embedding is None else "scored",
                "embedding_probabilities": None if page.embedding is None else list(page.probabilities),
                "embedding_version": "head@1 encoder r1", "llm_score": page.llm,
                "llm_state": "missing" if page.llm is None else "scored", "llm_version": "tiny r1 rubric@1",
            }  # fmt: skip
            scores.append(shared | heard)
        for table, rows in (("fineweb", documents), ("scored_fineweb", scores)):
            version = lake.replace_partition(
                table, record_batches(rows, lake.schema(table)), written_by(shard)
            )
            lake.record_gates(version, [GateOutcome("conservation", True, True, {})], written_by(shard))
    return list(shards)


def annotate(lake, written_by, rows) -> None:
    lake.replace_partition(TABLE, record_batches(rows, lake.schema(TABLE)), written_by("all"))


def annotations(lake) -> dict[str, dict]:
    """By the hash of the text, which must be unique."""
    with lake.read(TABLE) as reader:
        rows = reader.read_all().to_pylist()
    found = {row["text_hash"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_disagreements_come_first_then_what_the_classifier_is_torn_about(lake, written_by):
    torn = Page("Torn.", 1, 1, TORN)
    far, near, unheard = (
        Page("Far apart.", 0, 4),
        Page("One level apart.", 2, 1),
        Page("Unheard.", 1, None, TORN),
    )
    unread = Page("The classifier could not read it.", None, 5)
    shards = write_pages(lake, written_by, {"s": [*plain(6), near, torn, unread, unheard, far]})
    drawn = disputed_documents(lake, [], None, shards, 4)
    assert [one.text for one in drawn[:2]] == ["Far apart.", "One level apart."]
    assert {one.text for one in drawn[2:]} == {"Torn.", "Unheard."}
    assert [one.disagreement for one in drawn] == [4, 1, 0, 0]
    everything = disputed_documents(lake, [], None, shards, 100)
    assert len(everything) == 10
    assert unread.text not in {one.text for one in everything}


def test_being_apart_from_a_language_model_that_tells_nothing_is_no_disagreement(lake, written_by):
    torn, flagged = Page("Torn.", 1, 0, TORN), Page("Flagged for sure.", 5, 0)
    shards = write_pages(lake, written_by, {"s": [*plain(6), flagged, torn]})
    classifier = {
        "shard": "all", "version": "head@1", "encoder": "encoder", "encoder_revision": "r1", "head": b"", "confirmation": b"",
        "llm_thresholds": "{}", "combination": None, "metrics": "{}", "annotations_snapshot_id": 1,
    }  # fmt: skip
    table = "safety_classifier"
    assert disputed_documents(lake, [], None, shards, 1)[0].text == flagged.text
    lake.replace_partition(table, record_batches([classifier], lake.schema(table)), written_by("all"))
    first = disputed_documents(lake, [], None, shards, 1)[0]
    assert (first.text, first.disagreement) == (torn.text, 0)


def test_a_fifth_is_drawn_at_random_from_what_nobody_disputes(lake, written_by):
    disputed = [Page(f"Disputed {number}.", 0, 3) for number in range(40)]
    shards = write_pages(lake, written_by, {"s": [*disputed, *plain(400)]})
    drawn = disputed_documents(lake, [], None, shards, 100)
    assert [one.disagreement for one in drawn] == [3] * 40 + [0] * 60
    # Of what is equally plain, the first by hash fill the eighty hardest; the other twenty come from anywhere.
    in_order = sorted(page.hash for page in plain(400))
    places = [in_order.index(one.text_hash) for one in drawn[40:]]
    assert places[:40] == list(range(40))
    assert sum(place > 220 for place in places[40:]) in range(4, 17)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(data=st.data())
def test_the_same_texts_are_drawn_however_they_are_sharded(lake, written_by, data):
    pages = [Page(f"Page {n}.", n % 3, (n * 7) % 5, TORN if n % 2 else SURE) for n in range(20)]
    order = data.draw(st.permutations(pages))
    cut = data.draw(st.integers(1, 19))
    # One text stands in both shards.
    shards = write_pages(lake, written_by, {"s": order[:cut], "t": [*order[cut:], order[0]]})
    count = data.draw(st.integers(1, 25))
    drawn = disputed_documents(lake, [], None, shards, count)
    assert len(drawn) == len({one.text_hash for one in drawn}) == min(count, 20)
    write_pages(lake, written_by, {"s": [], "t": pages})
    assert [one.text for one in disputed_documents(lake, [], None, ["t"], count)] == [
        one.text for one in drawn
    ]


def test_rounds_add_to_what_is_there_and_ask_about_nothing_twice(lake, written_by):
    own = next(iter(seed_rows())) | {
        "annotation_id": "mine",
        "text": "Mine.",
        "text_hash": text_hash("Mine."),
    }
    annotate(lake, written_by, [*seed_rows(), own])
    before = annotations(lake)
    pages = [Page(f"Disputed {number}.", 0, 3, category="hate") for number in range(12)]
    # A text that has a label already is not asked about, nor is one of a shard that is not given.
    shards = write_pages(lake, written_by, {"s": [Page("Mine.", 0, 5), *pages]})
    write_pages(lake, written_by, {"unchecked": [Page("Of a shard that failed a gate.", 0, 5)]})
    oracle = Oracle()
    rounds = [refine_annotations(lake, oracle, shards, 5, written_by("all")) for _ in range(4)]
    assert [one.added for one in rounds] == [5, 5, 2, 0]
    assert [one.kept for one in rounds] == [801, 806, 811, 813]
    assert sorted(oracle.asked) == sorted(page.text for page in pages)
    after = annotations(lake)
    assert {key: after[key] for key in before} == before
    added = [row for key, row in after.items() if key not in before]
    assert {(row["score"], row["category"], row["labeller"]) for row in added} == {(3, "hate", "reader")}
    # What was chosen for being hard would tell an audit that the corpus is so.
    assert all(
        row["split"] == {"test": "train"}.get(split_of(row["text_hash"]), split_of(row["text_hash"]))
        for row in added
    )
    assert all(outcome.passed for outcome in annotation_gates(lake, rounds[-1].version)[0])


def test_a_lake_without_annotations_begins_with_the_seeds(lake, written_by):
    seed = next(iter(seed_rows()))
    shards = write_pages(lake, written_by, {"s": [Page(seed["text"], 0, 5), Page("A dispute.", 0, 2)]})
    found = refine_annotations(lake, Oracle(), shards, 5, written_by("all"))
    assert (found.kept, found.asked, found.added) == (800, 1, 1)
    assert set(annotations(lake)) == {row["text_hash"] for row in seed_rows()} | {text_hash("A dispute.")}
    assert all(outcome.passed for outcome in annotation_gates(lake, found.version)[0])


def test_without_scores_nothing_is_added(lake, written_by):
    found = refine_annotations(lake, Oracle(), [], 5, written_by("all"))
    assert (found.kept, found.asked, found.changed_share) == (800, 0, None)
    assert "changed_share" not in found.numbers


def test_it_is_told_how_many_labels_are_not_the_score(lake, written_by):
    pages = [Page("One.", 0, 3), Page("Two.", 0, 4), Page("Three.", 2, 2), Page("Four.", 1, None)]
    shards = write_pages(lake, written_by, {"s": pages})
    numbers = refine_annotations(lake, Oracle(3), shards, 5, written_by("all")).numbers
    assert numbers == {"kept": 800, "asked": 4, "added": 4, "disagreements": 2, "changed_share": 2 / 3}


def test_what_an_oracle_cannot_label_trains_nothing_and_is_left_to_another(lake, written_by):
    shards = write_pages(lake, written_by, {"s": [Page("Hard to say.", 0, 5, category="hate")]})
    mute = Oracle(None)
    first = refine_annotations(lake, mute, shards, 5, written_by("all"))
    assert (first.asked, first.added) == (1, 0)
    row = annotations(lake)[text_hash("Hard to say.")]
    assert (row["score"], row["state"], row["category"]) == (None, "refused", "none")
    assert "Hard to say." not in {row["text"] for row in lake.rows("annotations")}
    assert all(outcome.passed for outcome in annotation_gates(lake, first.version)[0])

    assert refine_annotations(lake, mute, shards, 5, written_by("all")).asked == 0
    assert mute.asked == ["Hard to say."]
    assert text_hash("Hard to say.") in annotations(lake)

    other = refine_annotations(lake, Oracle(4, version="2"), shards, 5, written_by("all"))
    assert (other.kept, other.added) == (800, 1)
    row = annotations(lake)[text_hash("Hard to say.")]
    assert (row["score"], row["labeller_version"], row["category"]) == (4, "2", "hate")


def test_an_oracle_that_breaks_leaves_the_annotations_as_they_were(lake, written_by):
    shards = write_pages(lake, written_by, {"s": [Page(f"Disputed {n}.", 0, 3) for n in range(5)]})
    refine_annotations(lake, Oracle(), shards, 2, written_by("all"))
    before, version = annotations(lake), lake.version(TABLE)

    class Breaks(Oracle):
        def label(self, documents):
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        refine_annotations(lake, Breaks(), shards, 2, written_by("all"))
    assert (annotations(lake), lake.version(TABLE)) == (before, version)


def test_a_crash_while_writing_leaves_the_annotations_as_they_were(lake, written_by, monkeypatch):
    shards = write_pages(lake, written_by, {"s": [Page(f"Disputed {n}.", 0, 3) for n in range(5)]})
    refine_annotations(lake, Oracle(), shards, 2, written_by("all"))
    before, version = annotations(lake), lake.version(TABLE)

    def full(rows, schema):
        yield from record_batches(rows[:1], schema)
        raise OSError("no space")

    monkeypatch.setattr(refinement, "record_batches", full)
    with pytest.raises(OSError, match="no space"):
        refine_annotations(lake, Oracle(), shards, 2, written_by("all"))
    assert (annotations(lake), lake.version(TABLE)) == (before, version)


def test_annotations_that_another_run_wrote_meanwhile_are_not_lost(lake, written_by):
    shards = write_pages(lake, written_by, {"s": [Page("A dispute.", 0, 3)]})
    annotate(lake, written_by, seed_rows())

    class Slow(Oracle):
        def label(self, documents):
            own = next(iter(seed_rows())) | {"annotation_id": "mine", "text_hash": "mine"}
            annotate(lake, written_by, [*seed_rows(), own])
            return super().label(documents)

    with pytest.raises(LakeError, match="Another run"):
        refine_annotations(lake, Slow(), shards, 5, written_by("all"))
    assert "mine" in annotations(lake)


def test_a_language_model_that_answers_nonsense_adds_no_score(lake, written_by):
    pages = [Page("Sensible.", 0, 4, category="privacy"), Page("Nonsense.", 0, 3), Page("Mild.", 0, 2)]
    shards = write_pages(lake, written_by, {"s": pages})

    def answer(request):
        page = request.prompt.messages[-1].content
        return '2, "reason": "mild"}' if "Sensible" in page or "Mild" in page else "nothing of use"

    model, answers = ScriptedModel(answer), MemoryAnswers()
    oracle = ModelOracle(model, answers, Usage(), 1_000)
    found = refine_annotations(lake, oracle, shards, 5, written_by("all"))
    assert (found.asked, found.added) == (3, 2)
    rows = annotations(lake)
    told = {page.text: (rows[page.hash]["score"], rows[page.hash]["category"]) for page in pages}
    # The rubric tells no category: the scorer's is taken, and where it has none, other.
    assert told == {"Sensible.": (2, "privacy"), "Nonsense.": (None, "none"), "Mild.": (2, "other")}
    asked = len(model.asked)
    assert refine_annotations(lake, oracle, shards, 5, written_by("all")).asked == 0
    assert len(model.asked) == asked


def labels_file(path, labels: dict[str, tuple[int, str]]):
    lines = [
        json.dumps({"text": text, "score": score, "category": category})
        for text, (score, category) in labels.items()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_file_labels_its_own_texts_and_is_asked_about_no_other(lake, written_by, tmp_path):
    pages = [Page("Known.", 1, 1, category="hate"), Page("Benign.", 3, 3, category="hate")]
    shards = write_pages(lake, written_by, {"s": [*pages, *(Page(f"Disputed {n}.", 0, 5) for n in range(9))]})
    labels = {"Known.": (4, "privacy"), "Benign.": (0, "none"), "In no shard.": (5, "hate")}
    oracle = FileOracle.of(labels_file(tmp_path / "mine.jsonl", labels))
    found = refine_annotations(lake, oracle, shards, 5, written_by("all"))
    assert (found.asked, found.added) == (2, 2)
    rows = annotations(lake)
    assert [(rows[page.hash]["score"], rows[page.hash]["category"]) for page in pages] == [
        (4, "privacy"),
        (0, "none"),
    ]
    other = FileOracle.of(labels_file(tmp_path / "mine.jsonl", labels | {"Known.": (3, "privacy")}))
    assert other.version != oracle.version


PLACES = ("in the orchard", "behind the church", "on the allotment", "near the mill", "at the school")
OPENINGS = ("Today we looked after", "A note about", "My uncle told us of", "They wrote at length about")
BEES, TREES = (
    [f"{opening} {subject} {place}." for opening in OPENINGS for subject in subjects for place in PLACES]
    for subjects in (
        ("the bees", "two beehives", "honeybees and wax", "the beekeeper's smoker"),
        ("the oaks", "two young maples", "limes and elms", "the forester's saw"),
    )
)


def test_a_round_teaches_the_classifier_what_its_scorers_disagreed_about(
    lake, written_by, packaged_models, tmp_path
):
    """Whoever holds pages on bees to be 4, against both scorers, is followed after one round; trees stay harmless."""
    encoder = open_encoder(load_profile("embedded").encoder, safety_home() / "models")
    before = packaged_classifier()
    trained_on, unseen = [text for n, text in enumerate(BEES) if n % 4], BEES[::4]

    def pages(classifier):
        texts = [*trained_on, *TREES]
        return [
            Page(text, read.level, 3 if text in BEES else 0, read.probabilities)
            for text, read in zip(texts, DocumentReader(encoder, classifier).read(texts), strict=True)
        ]

    shards = write_pages(lake, written_by, {"s": pages(before)})
    labels = {text: (4, "hate") for text in BEES} | {text: (0, "none") for text in TREES}
    oracle = FileOracle.of(labels_file(tmp_path / "bees.jsonl", labels))
    found = refine_annotations(lake, oracle, shards, 130, written_by("all"))
    assert found.added == 130
    assert found.disagreements == len(trained_on)
    after = retrain_head(before, encoder, examples_of(lake.rows("annotations")), 1.5)
    was, now = (
        np.array([read.expected for read in DocumentReader(encoder, one).read(unseen)])
        for one in (before, after)
    )
    assert was.max() < 1.5
    assert (now > was + 1).mean() > 0.9
    trees = np.array([read.level for read in DocumentReader(encoder, after).read(TREES)])
    assert (trees >= 3).mean() < 0.1
    # Scored again, the next round finds less to ask about: what is labelled is not asked about again.
    write_pages(lake, written_by, {"s": pages(after)})
    again = refine_annotations(lake, oracle, shards, 130, written_by("all"))
    assert again.asked == len(trained_on) + len(TREES) - 130


def test_the_job_refines_unless_it_is_told_otherwise(packaged_models, written_by, tmp_path):
    home = new_home(tmp_path / "home", packaged_models, small_profile(tmp_path / "quick.yaml"))
    with home.occupied() as project, home.instance() as instance:
        lake = project.lake.open()
        annotate(lake, written_by, [*seed_rows()])
        pages = [Page("Secret bees.", 0, 4), Page("Of no shard that passed.", 0, 4)]
        write_pages(lake, written_by, {"s": pages[:1], "failed": pages[1:]})
        failed = [GateOutcome("conservation", False, True, {})]
        lake.record_gates(lake.version("scored_fineweb", "failed"), failed, written_by("failed"))
        job = project.definitions.resolve_job_def("refine_classifier")
        assert job.run_config == {"ops": {"safety_annotations": {"config": {"labeller": "refine"}}}}
        oracle = labels_file(tmp_path / "bees.jsonl", {page.text: (4, "hate") for page in pages})
        config = {"labeller": "refine", "oracle": str(oracle)}
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(TABLE)],
            run_config={"ops": {TABLE: {"config": config}}},
        )
        [made] = result.get_asset_materialization_events()
        facts = made.materialization.metadata
        told = {
            name: facts[name].value
            for name in ("kept", "added", "disagreements", "shards", "shards_left_out")
        }
        assert told == {"kept": 800, "added": 1, "disagreements": 1, "shards": 1, "shards_left_out": 1}
        assert "bees." not in repr(facts).replace("bees.jsonl", "")
        # As it is launched by default: the language model is the oracle, and there is nothing left to ask it.
        again = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(TABLE)])
        [made] = again.get_asset_materialization_events()
        assert made.materialization.metadata["kept"].value == 801
        assert text_hash("Secret bees.") in annotations(lake)
        lake.close()
