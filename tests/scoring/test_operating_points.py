"""Laws of a sweep: what a threshold flags is counted right, a target picks the highest threshold that meets it.

And its page, which tells all of that without another file.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.scoring.calibration import expected_calibration_error, reliability
from safety_assets.scoring.ensemble import Opinions, compare_ensembles
from safety_assets.scoring.operating_points import Choice, operating_point, sweep, thinned
from safety_assets.scoring.sweep_page import (
    SweepReport,
    percent,
    reliability_chart,
    sweep_chart,
    sweep_html,
)

# Few distinct values, so that ties are common.
DOCUMENTS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.floats(0, 1)),
        st.booleans(),
        st.floats(0, 1_000),
    ),
    min_size=1,
    max_size=60,
)


def columns(documents):
    return tuple(np.array(column) for column in zip(*documents, strict=True))


@given(DOCUMENTS)
def test_every_point_counts_what_its_threshold_flags(documents):
    probabilities, harmful, _ = columns(documents)
    points = sweep(probabilities, harmful)
    assert [point.threshold for point in points] == sorted(set(probabilities.tolist()), reverse=True)
    for point in points:
        flagged = probabilities >= point.threshold
        assert point.flagged.value == pytest.approx(flagged.mean())
        assert point.precision.value == pytest.approx(harmful[flagged].mean())
        for share, among in ((point.recall, harmful), (point.false_alarms, ~harmful)):
            assert (share is None) == (not among.any())
            if share:
                assert share.value == pytest.approx(flagged[among].mean())
                assert share.low <= share.value <= share.high


@given(DOCUMENTS, st.booleans())
def test_recall_and_false_alarms_never_rise_with_the_threshold(documents, weighted):
    probabilities, harmful, weights = columns(documents)
    points = sweep(probabilities, harmful, weights if weighted else None)
    for name in ("recall", "false_alarms", "flagged"):
        values = [share.value for point in points if (share := getattr(point, name))]
        assert values == sorted(values)
        assert not values or values[-1] == 1 or (weighted and not weights.any())


@given(DOCUMENTS)
def test_whole_weights_count_as_copies(documents):
    probabilities, harmful, weights = columns(documents)
    copies = (weights // 250).astype(int)
    repeated = sweep(np.repeat(probabilities, copies), np.repeat(harmful, copies))
    weighted = {point.threshold: point for point in sweep(probabilities, harmful, copies)}
    for point in repeated:
        twin = weighted[point.threshold]
        assert twin.precision.value == pytest.approx(point.precision.value)
        assert twin.precision.low is None
        if point.recall:
            assert twin.recall.value == pytest.approx(point.recall.value)


@given(DOCUMENTS, st.floats(0.01, 1))
def test_the_chosen_point_is_the_highest_threshold_that_reaches_the_target(documents, target):
    probabilities, harmful, _ = columns(documents)
    choice = operating_point(sweep(probabilities, harmful), target)
    if not harmful.any():
        assert choice.point is None
        assert "harmful" in choice.reason
        return
    assert (harmful & (probabilities >= choice.point.threshold)).sum() >= target * harmful.sum() - 1e-9
    above = harmful & (probabilities > choice.point.threshold)
    assert above.sum() < target * harmful.sum() + 1e-9


def test_a_target_that_cannot_be_reached_says_so():
    points = sweep(np.array([0.2, 0.8]), np.array([True, False]))
    assert operating_point(points, 1.2) == Choice(1.2, None, "A recall of 1.2 is never reached.")
    assert operating_point([], 0.5).reason == "There are no documents."
    assert sweep(np.zeros(0), np.zeros(0, bool)) == []


def test_a_known_sweep():
    points = sweep(np.array([0.9, 0.9, 0.6, 0.3]), np.array([True, False, True, False]))
    read = [(p.threshold, p.recall.value, p.precision.value, p.false_alarms.value) for p in points]
    assert read == [(0.9, 0.5, 0.5, 0.5), (0.6, 1.0, pytest.approx(2 / 3), 0.5), (0.3, 1.0, 0.5, 1.0)]
    assert operating_point(points, 0.8).point == points[1]


@pytest.mark.parametrize(
    ("probabilities", "weights", "message"),
    [([np.nan], None, "without a probability"), ([0.5], [-1.0], "Weights"), ([0.5], [np.inf], "Weights")],
)
def test_what_cannot_be_counted_is_refused(probabilities, weights, message):
    given_weights = None if weights is None else np.array(weights)
    with pytest.raises(ValueError, match=message):
        sweep(np.array(probabilities), np.array([True]), given_weights)


@given(DOCUMENTS, st.integers(2, 20))
def test_a_thinned_sweep_keeps_its_ends_and_its_order(documents, most):
    probabilities, harmful, _ = columns(documents)
    points = sweep(probabilities, harmful)
    kept = thinned(points, most)
    assert len(kept) <= max(most, 2)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert [point for point in points if point in kept] == kept


def report(probabilities, harmful, *, targets=(0.75,), words="level 3 or above", ensembles=(), weights=None):
    points = sweep(probabilities, harmful, weights)
    return SweepReport(
        what=words,
        scorer=words,
        documents=len(harmful),
        harmful=int(harmful.sum()),
        points=points,
        choices=[operating_point(points, target) for target in targets],
        bins=reliability(probabilities, harmful),
        error=expected_calibration_error(probabilities, harmful),
        ensembles=ensembles,
    )


@pytest.fixture(scope="module")
def measured():
    random = np.random.default_rng(0)
    probabilities = random.beta(0.4, 2, 500)
    return probabilities, random.random(500) < probabilities


def test_the_page_tells_the_chosen_point_and_marks_it(measured):
    page = sweep_html(report(*measured, targets=(0.75, 0.9)))
    choices = [operating_point(sweep(*measured), target) for target in (0.75, 0.9)]
    for choice in choices:
        assert f"flag from a probability of {choice.point.threshold:.3g}" in page
        assert percent(choice.point.precision.value) in page
    assert page.count('class="chosen"') == 2
    assert page.count("<circle") == 4


def test_the_page_needs_no_other_file_and_runs_nothing(measured):
    page = sweep_html(report(*measured))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", page)
    assert len(page) < 200_000


def test_every_word_from_outside_is_escaped(measured):
    evil = "<script>alert('&')</script>"
    scores = np.where(measured[1], 3, 0)
    opinions = Opinions(np.repeat(measured[0][:, None], 5, axis=1), {1: 0.5})
    rows = compare_ensembles(opinions, opinions, scores, names=(evil, evil))
    page = sweep_html(report(*measured, words=evil, ensembles=rows))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4


@given(DOCUMENTS, st.booleans())
def test_charts_are_whole_for_any_documents(documents, weighted):
    probabilities, harmful, weights = columns(documents)
    told = report(probabilities, harmful, targets=(0.5, 2.0), weights=weights if weighted else None)
    for chart in (sweep_chart(told.points, told.choices), reliability_chart(told.bins, told.error)):
        assert ElementTree.fromstring(str(chart)).tag == "svg"
        assert "nan" not in str(chart).lower()
    known = (weights if weighted else np.ones(len(harmful)))[harmful].sum() > 0
    assert ("never reached" in sweep_html(told)) == known


def test_what_is_unknown_is_said_and_not_drawn_as_zero():
    page = sweep_html(report(np.array([0.2, 0.4]), np.array([False, False])))
    assert "None of the documents is harmful" in page
    assert "recall 0" not in page
