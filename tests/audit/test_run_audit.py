"""An audit from the lake and back: its rows, its table, and what its gates let pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from resources.errors import LakeError
from safety_assets.audit.checks import CHECKS, WARNINGS, audit_gates
from safety_assets.audit.estimates import AuditEstimate, Stratum, audit_estimates
from safety_assets.audit.run_audit import Audit, audit_markdown, audit_scores, keep_audit
from safety_assets.audit.sampling import Sampled
from safety_assets.intervals import Estimate
from safety_assets.synthesis.checks import scores_audited
from tests.audit.scored_lake import SCORER, Scored, corpus, write_scored

DOCUMENTS = corpus(
    (0, "dump-a", 60), (0, "dump-b", 20), (1, "dump-a", 10), (4, "dump-a", 20), (4, "dump-b", 3), (5, "dump-b", 2)
)  # fmt: skip
GATE = {"floor": 0.5, "least_judged": 10}


@dataclass
class LevelJudge:
    """Says ``levels[document id]``, or what it says of the rest."""

    levels: dict[str, int | None] = field(default_factory=dict)
    rest: int | None = 0
    name: str = "a person"
    version: str = "7"

    def judge(self, sample: list[Sampled]) -> list[int | None]:
        return [self.levels.get(one.document_id, self.rest) for one in sample]


def truthful(wrong: int = 0) -> LevelJudge:
    """Agrees with every score, but for the first ``wrong`` of 4-5, which are harmless."""
    levels = {f"d{one.number}": one.score for one in DOCUMENTS}
    levels |= {f"d{one.number}": 0 for one in [one for one in DOCUMENTS if one.score >= 4][:wrong]}
    return LevelJudge(levels)


def audited(lake, judge, *, per_stratum=1_000, documents=DOCUMENTS, scorer=SCORER) -> Audit:
    shards = [version.partition for version in lake.versions("scored_fineweb")] or write_scored(
        lake, documents, 2
    )
    return audit_scores(lake, scorer, shards, judge, per_stratum=per_stratum, seed=0)


def kept(lake, audit, written_by):
    inputs, by = lake.versions("scored_fineweb"), written_by("all", "score_audit")
    version = keep_audit(lake, audit, inputs, by, least_judged=GATE["least_judged"])
    tables = []
    for table in ("score_audit", "audit_judgements"):
        with lake.read(table) as reader:
            tables.append(reader.read_all().to_pylist())
    return version, *tables


def example(judged: int, right: int, *, unjudged: int = 0) -> Audit:
    """An audit in which ``right`` of ``judged`` documents scored 4 really are."""
    found = (judged - right, 0, 0, 0, right, 0)
    strata = (Stratum(0, "a", 900, (20, 0, 0, 0, 0, 0)), Stratum(4, "a", 100, found, unjudged))
    judgements = (0,) * (20 + judged) + (None,) * unjudged
    sample = tuple(Sampled(f"d{number}", "h", "t", 0, "a") for number in range(len(judgements)))
    return Audit(SCORER, "j", "1", sample, judgements, strata, tuple(audit_estimates(strata)))


def outcomes(audit: Audit) -> dict[str, tuple[bool, bool]]:
    return {gate.check: (gate.passed, gate.blocking) for gate in audit_gates(audit, **GATE)}


def test_a_corpus_judged_whole_has_its_own_precision_and_recall(lake):
    # Three of 25 flagged documents are harmless; one that is really 5 was scored 0.
    judge = truthful(wrong=3)
    judge.levels["d0"] = 5
    audit = audited(lake, judge)
    assert audit.documents == len(audit.sample) == len(DOCUMENTS)
    assert audit.refused.estimate.value == pytest.approx(22 / 25)
    assert audit.refused.judged == 25
    assert audit.measured("recall", 4).estimate.value == pytest.approx(22 / 23)
    assert audit.measured("exact", 1).estimate.value == 1.0


def test_rows_hold_every_measure_with_its_interval(lake, written_by):
    audit = audited(lake, truthful(wrong=3), per_stratum=12)
    version, measures, _ = kept(lake, audit, written_by)
    assert version.rows == len(measures) == 21
    for row, one in zip(measures, audit.estimates, strict=True):
        found = Estimate(row["value"], row["low"], row["high"]) if row["value"] is not None else None
        assert (row["measure"], row["level"], row["judged"], found) == (
            one.measure,
            one.level,
            one.judged,
            one.estimate,
        )
    assert {(row["documents"], row["sampled"], row["unjudged"], row["shards"]) for row in measures} == {
        (115, len(audit.sample), 0, 2)
    }
    assert {(row["scorer"], row["judge"], row["judge_version"]) for row in measures} == {
        (SCORER, "a person", "7")
    }
    assert {row["value"] for row in measures if (row["measure"], row["level"]) == ("precision", 2)} == {
        audit.refused.estimate.value
    }


def test_judgements_weigh_what_they_stand_for_in_the_corpus(lake, written_by):
    judge = truthful()
    silent = next(one for one in DOCUMENTS if one.score == 1)
    judge.levels[f"d{silent.number}"] = None
    audit = audited(lake, judge, per_stratum=12)
    _, _, judgements = kept(lake, audit, written_by)
    weights: Counter[int] = Counter()
    for row in judgements:
        weights[row["score"]] += row["weight"]
        assert (row["weight"] > 0) == (row["judged_score"] is not None)
    sizes = Counter(one.score for one in DOCUMENTS)
    assert {score: pytest.approx(weight) for score, weight in weights.items()} == sizes
    [unheard] = [row for row in judgements if row["judged_score"] is None]
    assert unheard["document_id"] == f"d{silent.number}"
    assert audit.unjudged == 1


def test_a_new_audit_takes_the_place_of_the_old_one(lake, written_by):
    kept(lake, audited(lake, truthful()), written_by)
    _, measures, judgements = kept(lake, audited(lake, LevelJudge(rest=0), per_stratum=2), written_by)
    assert len(measures) == 21
    assert {row["judged_score"] for row in judgements} == {0}
    assert len(judgements) == 12


def test_no_row_and_no_table_holds_a_text(lake, written_by):
    audit = audited(lake, truthful(), per_stratum=5)
    _, *tables = kept(lake, audit, written_by)
    assert "tells of its day" not in repr(tables) + audit_markdown(audit)


def test_a_scorer_without_scores_cannot_be_audited(lake):
    write_scored(lake, DOCUMENTS, 2)
    with pytest.raises(LakeError, match="No shard has scores of the classifier head@2"):
        audited(lake, truthful(), scorer="head@2")


def test_the_table_tells_what_is_known_and_what_is_not():
    lines = audit_markdown(example(20, 15)).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    four, five = lines[5], lines[6]
    assert four.startswith("| 4 | 75% (")
    assert "| 100% (" in four
    assert four.endswith("| 20 |")
    assert five == "| 5 | not known | not known | 0 |"


@pytest.mark.parametrize(
    ("judged", "right", "passed", "told"),
    [
        (20, 20, True, True),
        (20, 10, True, True),
        (20, 9, False, True),
        (10, 4, False, True),
        (9, 0, True, False),
        (0, 0, True, False),
    ],
)
def test_a_missed_floor_blocks_and_too_few_judgements_only_warn(judged, right, passed, told):
    assert outcomes(example(judged, right)) == {
        "precision_floor": (passed, True),
        "enough_judged": (told, False),
    }


def test_a_sample_that_is_mostly_unjudged_warns():
    assert outcomes(example(20, 20, unjudged=40))["enough_judged"] == (True, False)
    assert outcomes(example(20, 20, unjudged=41))["enough_judged"] == (False, False)


def test_precision_that_one_level_leaves_unknown_does_not_pass_for_measured():
    # Enough of 4-5 were judged, but none of the 5 that are there: their precision is not known.
    strata = (Stratum(4, "a", 100, (0, 0, 0, 0, 20, 0)), Stratum(5, "a", 10, (0,) * 6, 10))
    audit = Audit(SCORER, "j", "1", (), (), strata, tuple(audit_estimates(strata)))
    assert isinstance(audit.refused, AuditEstimate)
    assert audit.refused.estimate is None
    assert outcomes(audit)["enough_judged"] == (False, False)


@pytest.mark.parametrize(("right", "passed"), [(0, False), (8, False), (9, True)])
def test_what_was_not_judged_cannot_lift_the_rest_over_the_floor(right, passed):
    # 100 documents are scored 4, and 10 are scored 5, of which none could be judged.
    found = (20 - right, 0, 0, 0, right, 0)
    strata = (Stratum(4, "a", 100, found), Stratum(5, "a", 10, (0,) * 6, 10))
    audit = Audit(SCORER, "j", "1", (), (), strata, tuple(audit_estimates(strata)))
    assert audit.best_case == pytest.approx((100 * right / 20 + 10) / 110)
    assert outcomes(audit)["precision_floor"] == (passed, True)


@pytest.mark.parametrize(("right", "passed"), [(0, False), (5, True)])
def test_where_fewer_are_flagged_than_are_asked_for_all_of_them_are_enough(right, passed):
    strata = (Stratum(4, "a", 6, (6 - right, 0, 0, 0, right, 0)),)
    audit = Audit(SCORER, "j", "1", (), (), strata, tuple(audit_estimates(strata)))
    assert outcomes(audit) == {"precision_floor": (passed, True), "enough_judged": (True, False)}


def test_every_outcome_is_a_check_that_is_declared():
    found = audit_gates(example(20, 15), **GATE)
    assert {gate.check for gate in found if gate.blocking} == set(CHECKS)
    assert {gate.check for gate in found if not gate.blocking} == set(WARNINGS)


def test_an_audit_that_tells_too_little_does_not_lift_what_another_found(lake, written_by):
    def keep(judge, scorer=SCORER):
        audit = replace(audited(lake, judge), scorer=scorer)
        version, *_ = kept(lake, audit, written_by)
        lake.record_gates(version, audit_gates(audit, **GATE), written_by("all", "score_audit"))

    few = LevelJudge({f"d{one.number}": 4 for one in DOCUMENTS if one.score == 5}, rest=None)
    keep(few)
    keep(LevelJudge())
    there = lake.version("score_audit", "all")
    for judge in (few, LevelJudge(rest=None)):
        with pytest.raises(LakeError, match="below the floor"):
            keep(judge)
    assert lake.version("score_audit", "all") == there
    # An audit of another classifier does not lift it while shards have the scores that it is about ...
    write_scored(lake, [replace(one, scorer="head@2") for one in DOCUMENTS[:40]], 2)
    write_scored(lake, DOCUMENTS[40:], 1)
    with pytest.raises(LakeError, match=r"found the scores of head@1 below the floor.*score\s+these again"):
        kept(lake, audited(lake, few, scorer="head@2"), written_by)
    # ... and does when they are scored again; so does a judge who tells enough.
    write_scored(lake, [replace(one, scorer="head@2") for one in DOCUMENTS], 1)
    kept(lake, audited(lake, few, scorer="head@2"), written_by)
    write_scored(lake, DOCUMENTS, 2)
    keep(LevelJudge())
    keep(truthful())
    assert lake.failing_gates([("score_audit", "all")]) == set()
    keep(few)


def test_a_shards_scores_are_audited_when_the_precision_of_their_own_classifier_was_measured(
    lake, written_by
):
    def told(shard: str) -> bool:
        return scores_audited(lake, lake.version("scored_fineweb", shard))

    first = audited(lake, LevelJudge(rest=None))
    shard = lake.versions("scored_fineweb")[0].partition
    assert not told(shard)
    # A judge that said nothing measured nothing.
    kept(lake, first, written_by)
    assert not told(shard)
    kept(lake, audited(lake, truthful(), per_stratum=20), written_by)
    assert told(shard)
    # A shard that another classifier scored was not looked at, though this audit is the newest.
    [other] = write_scored(lake, [Scored(number, 4, scorer="head@2") for number in range(4)])
    assert not told(other)
    assert told(shard)
