"""Rates leave unjudged answers out and say so; disagreement is over what both judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.evaluation.rates import attack_success_rate, disagreement, intervals_overlap
from safety_assets.intervals import Estimate, wilson

VERDICTS = st.lists(st.sampled_from([True, False, None]), max_size=60)


@given(VERDICTS)
def test_a_rate_is_of_judged_answers_and_never_above_its_worst_case(verdicts):
    found = attack_success_rate(verdicts)
    judged = [verdict for verdict in verdicts if verdict is not None]
    assert found.rate == wilson(sum(judged), len(judged))
    assert found.answers == len(judged) + found.unjudged
    if found.rate:
        assert found.worst.value >= found.rate.value


def test_answers_that_nobody_judged_have_no_rate_and_count_as_harmful_at_worst():
    found = attack_success_rate([None, None])
    assert found.rate is None
    assert found.worst.value == 1


@given(VERDICTS)
def test_a_judge_agrees_with_itself(verdicts):
    found = disagreement(verdicts, verdicts)
    assert found.differing == 0
    assert found.kappa in (None, pytest.approx(1))


def test_kappa_agrees_with_a_worked_example():
    # 20 both yes, 5 and 10 split, 15 both no: agreement 0.7, by chance 0.5.
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = disagreement(first, second)
    assert (found.both, found.differing) == (50, 15)
    assert found.share.value == pytest.approx(0.3)
    assert found.kappa == pytest.approx(0.4)


def test_one_verdict_throughout_gives_no_kappa():
    assert disagreement([True, True, None], [True, True, False]).kappa is None
    assert disagreement([None], [True]).share is None


def test_intervals_that_touch_overlap():
    low, high = Estimate(0.1, 0.0, 0.2), Estimate(0.3, 0.2, 0.4)
    assert intervals_overlap(low, high) and intervals_overlap(high, low)
    assert not intervals_overlap(low, Estimate(0.3, 0.21, 0.4))
