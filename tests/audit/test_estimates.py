"""What a judged sample says of a corpus: right where everything is judged, within its intervals where it is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.audit import estimates
from safety_assets.audit.estimates import (
    FEW_JUDGED,
    LEAST_IN_STRATUM,
    AuditEstimate,
    Stratum,
    audit_estimates,
    join_thin,
)
from safety_assets.harms import LEVELS

# Documents of each score: the safe ones are most of the web.
CORPUS = (90_000, 5_000, 2_500, 1_500, 700, 300)
# One source, and twelve of unlike sizes, in which a rare score has few documents.
SOURCES = {"one": (1.0,), "twelve": (0.4, 0.2, *(0.04,) * 10)}
AUDITS = 200


def truth_given_score(drift: float) -> np.ndarray:
    """(6, 6) share of documents of each score that really are of each level; ``drift`` moves some one level up."""
    shares = np.full((6, 6), 0.02) + 0.7 * np.eye(6)
    for score in LEVELS:
        shares[score, max(score - 1, 0)] += 0.1 - drift
        shares[score, min(score + 1, 5)] += 0.06 + drift
    shares[0] = (0.97, 0.015, 0.008, 0.004, 0.002, 0.001)
    return shares / shares.sum(1, keepdims=True)


def simulated(seed: int, sources: tuple[float, ...], per_stratum: int) -> tuple[list[Stratum], np.ndarray]:
    """The strata of one audit, and the whole corpus: (6, 6) documents by score and what they really are."""
    rng, strata, corpus = np.random.default_rng(seed), [], np.zeros((6, 6), int)
    for number, share in enumerate(sources):
        shares = truth_given_score(0.08 * number / len(sources))
        for score in LEVELS:
            levels = rng.multinomial(round(CORPUS[score] * share), shares[score])
            corpus[score] += levels
            judged = rng.multivariate_hypergeometric(levels, min(per_stratum, levels.sum()))
            strata.append(Stratum(score, f"source {number}", int(levels.sum()), tuple(map(int, judged))))
    return strata, corpus


def truth(corpus: np.ndarray, measure: str, level: int) -> float:
    """A measure on the whole corpus."""
    right, flagged, positive = corpus[level:, level:].sum(), corpus[level:].sum(), corpus[:, level:].sum()
    if measure == "exact":
        return corpus[level, level] / corpus[level].sum()
    return {"precision": right / flagged, "recall": right / positive, "f1": 2 * right / (flagged + positive)}[
        measure
    ]


def known(found: list[AuditEstimate]) -> dict[tuple[str, int], AuditEstimate]:
    return {(one.measure, one.level): one for one in found}


COUNTS = st.tuples(*[st.integers(0, 9)] * 6)
STRATA = st.lists(
    st.builds(
        lambda score, source, found, rest, unjudged: Stratum(
            score, source, max(sum(found) + unjudged + rest, 1), found, unjudged
        ),
        st.integers(0, 5),
        st.sampled_from("abc"),
        COUNTS,
        st.integers(0, 10**6),
        st.integers(0, 9),
    ),
    max_size=8,
    unique_by=lambda stratum: (stratum.score, stratum.source),
)


@pytest.mark.parametrize("judged", [1, 3, 40])
def test_scores_that_are_all_right_are_called_so(judged):
    strata = [
        Stratum(score, "a", CORPUS[score], tuple(judged * (level == score) for level in LEVELS))
        for score in LEVELS
    ]
    for one in audit_estimates(strata):
        assert one.estimate.value == 1.0
        assert one.estimate.low < one.estimate.high == 1.0


def test_a_corpus_that_was_judged_whole_has_the_measures_of_its_counts():
    _, corpus = simulated(3, SOURCES["one"], 1)
    strata = [Stratum(score, "a", int(row.sum()), tuple(map(int, row))) for score, row in enumerate(corpus)]
    for one in audit_estimates(strata):
        assert one.estimate.value == pytest.approx(truth(corpus, one.measure, one.level))


def test_a_heavily_sampled_rare_score_weighs_what_it_weighs_in_the_corpus():
    # Of 10,000 documents scored 0 one in ten is really 4; those scored 4 are 100 and all right.
    strata = [Stratum(0, "a", 10_000, (18, 0, 0, 0, 2, 0)), Stratum(4, "a", 100, (0, 0, 0, 0, 20, 0))]
    found = known(audit_estimates(strata))
    assert found["precision", 4].estimate.value == 1.0
    assert found["recall", 4].estimate.value == pytest.approx(100 / 1_100)


@pytest.mark.parametrize(("sources", "per_stratum"), [("one", 20), ("twelve", 20), ("twelve", 4)])
def test_intervals_hold_the_truth_of_the_corpus_about_as_often_as_they_say(sources, per_stratum, monkeypatch):
    # Fewer draws move the ends of an interval by chance, in either direction.
    monkeypatch.setattr(estimates, "DRAWS", 500)
    held: Counter[tuple[str, int]] = Counter()
    errors: dict[tuple[str, int], list[float]] = {}
    for seed in range(AUDITS):
        strata, corpus = simulated(seed, SOURCES[sources], per_stratum)
        for one in audit_estimates(join_thin(strata), seed=seed):
            true = truth(corpus, one.measure, one.level)
            held[one.measure, one.level] += one.estimate.low <= true <= one.estimate.high
            errors.setdefault((one.measure, one.level), []).append(one.estimate.value - true)
    shares = {key: count / AUDITS for key, count in held.items()}
    assert len(shares) == 21
    # A rare level may be missed by the whole sample of score 0, so its recall has the lowest.
    assert min(shares.values()) >= 0.85, shares
    assert 0.92 <= np.mean(list(shares.values())) <= 0.99
    # Shares of corpus are met on average: nothing but the weights makes precision so.
    for (measure, level), found in errors.items():
        if measure in ("precision", "exact"):
            assert abs(np.mean(found)) < 0.03, (measure, level)


@settings(max_examples=60, deadline=None)
@given(STRATA)
def test_a_measure_lies_in_its_interval_within_0_and_1(strata):
    for one in audit_estimates(strata):
        if one.estimate is not None:
            assert 0 <= one.estimate.low <= one.estimate.value <= one.estimate.high <= 1


@settings(max_examples=60, deadline=None)
@given(STRATA, st.randoms())
def test_joining_thin_strata_loses_no_document_and_no_judgement(strata, chance):
    def totals(of):
        total: Counter = Counter()
        for stratum in of:
            total[stratum.score, "documents"] += stratum.documents
            total[stratum.score, "unjudged"] += stratum.unjudged
            for level in LEVELS:
                total[stratum.score, level] += stratum.found[level]
        return total

    joined = join_thin(strata)
    assert totals(joined) == totals(strata)
    assert all(stratum.judged >= LEAST_IN_STRATUM for stratum in joined if stratum.source != FEW_JUDGED)
    chance.shuffle(strata)
    assert sorted(join_thin(strata), key=repr) == sorted(joined, key=repr)


def test_a_score_that_nobody_judged_leaves_what_rests_on_it_unknown():
    strata = [
        Stratum(0, "a", 900, (9, 1, 0, 0, 0, 0)),
        Stratum(2, "a", 90, (0, 2, 8, 0, 0, 0)),
        Stratum(5, "a", 10, (0,) * 6, unjudged=10),
    ]
    found = known(audit_estimates(strata))
    for level in range(1, 6):
        assert found["precision", level].estimate is None
        assert found["recall", level].estimate is None
        assert found["f1", level].estimate is None
    assert found["exact", 5].estimate is None
    assert found["exact", 5].judged == found["precision", 4].judged == 0
    assert found["exact", 2].estimate.value == pytest.approx(0.8)
    # Nor is a score known that no document has.
    assert found["exact", 3].estimate is None


def test_an_unjudged_source_is_taken_for_the_others_of_its_score():
    strata = [
        Stratum(4, "a", 100, (5, 0, 0, 0, 5, 0)),
        Stratum(4, "b", 300, (0,) * 6),
    ]
    assert known(audit_estimates(strata))["precision", 4].estimate.value == pytest.approx(0.5)


@pytest.mark.parametrize("unjudged", [1, 50])
def test_documents_without_a_judgement_count_neither_as_right_nor_as_wrong(unjudged):
    strata = [Stratum(0, "a", 900, (10, 0, 0, 0, 0, 0)), Stratum(4, "a", 100, (6, 0, 0, 0, 4, 0))]
    silent = [replace(stratum, unjudged=unjudged) for stratum in strata]
    assert audit_estimates(silent) == audit_estimates(strata)
    assert known(audit_estimates(silent))["precision", 4].estimate.value == pytest.approx(0.4)


def test_no_strata_at_all_measure_nothing():
    assert {(one.estimate, one.judged) for one in audit_estimates([])} == {(None, 0)}


def test_the_same_judgements_give_the_same_intervals():
    strata, _ = simulated(5, SOURCES["twelve"], 20)
    assert audit_estimates(strata, seed=7) == audit_estimates(strata, seed=7)
    assert audit_estimates(strata, seed=7) != audit_estimates(strata, seed=8)


def test_more_judgements_narrow_an_interval():
    few, many = (
        known(audit_estimates([Stratum(4, "a", 5_000, (0, 0, 0, count, count, 0))]))["precision", 4].estimate
        for count in (5, 200)
    )
    assert few.low < many.low < 0.5 < many.high < few.high
