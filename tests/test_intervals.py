"""Intervals hold their value, narrow with evidence, and agree with published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.intervals import Estimate, garwood, rate_ratio, wilson


def rounded(estimate: Estimate, decimals: int) -> tuple[float, float, float]:
    return tuple(round(number, decimals) for number in (estimate.value, estimate.low, estimate.high))


COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS)
def test_a_share_lies_in_its_interval_within_0_and_1(some, others):
    found = wilson(some, some + others)
    if some + others == 0:
        assert found is None
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


@given(COUNTS, st.integers(1, 10**12))
def test_a_rate_lies_in_its_interval(count, tokens):
    found = garwood(count, tokens)
    assert 0 <= found.low <= found.value < found.high
    assert found.value == pytest.approx(count / tokens * 1e6)


@given(COUNTS, st.integers(1, 10**9), st.integers(1, 10**7), st.integers(1, 10**9))
def test_a_ratio_lies_in_its_interval(count, tokens, base_count, base_tokens):
    found = rate_ratio(count, tokens, base_count, base_tokens)
    assert 0 <= found.low <= found.value <= found.high
    assert found.value == pytest.approx((count / tokens) / (base_count / base_tokens))


def test_wilson_agrees_with_newcombe_1998():
    assert rounded(wilson(81, 263), 4) == (0.308, 0.2553, 0.3662)
    assert rounded(wilson(15, 148), 4) == (0.1014, 0.0624, 0.1605)
    assert rounded(wilson(0, 20), 4) == (0.0, 0.0, 0.1611)


def test_garwood_agrees_with_the_tables():
    assert rounded(garwood(0, 1_000_000), 3) == (0, 0, 3.689)
    assert rounded(garwood(10, 1_000_000), 3) == (10, 4.795, 18.390)
    assert rounded(garwood(10, 2_000_000), 3) == (5, 2.398, 9.195)


def test_more_evidence_narrows():
    assert wilson(50, 100).high > wilson(500, 1_000).high
    assert garwood(50, 10**6).high > garwood(500, 10**7).high


def test_nothing_observed_is_no_estimate():
    assert wilson(0, 0) is None
    assert garwood(0, 0) is None
    assert rate_ratio(3, 10, 0, 10) is None
    assert rate_ratio(0, 0, 3, 10) is None


@pytest.mark.parametrize("wrong", [(3, 2), (-1, 2)])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(ValueError, match="no proportion"):
        wilson(*wrong)
    with pytest.raises(ValueError, match="no rate"):
        garwood(-1, 5)
    with pytest.raises(ValueError, match="no rate"):
        garwood(1, 0)
