"""Charts are well-formed SVG at every extreme, tell their numbers in words, and escape names."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.intervals import Estimate, wilson
from safety_assets.report_cards import charts, wording
from safety_assets.report_cards.card import compare_slices, report_card, slice_of, transition_matrix
from tests.report_cards.examples import example_slices, ngram_counts

HOSTILE = '<script>alert("x")</script>&\''
LEVELS = st.lists(st.integers(0, 10**9), min_size=6, max_size=6)


def parsed(chart: str) -> ElementTree.Element:
    drawing = ElementTree.fromstring(chart)
    width, height = (float(number) for number in drawing.attrib["viewBox"].split()[2:])
    for shape in drawing.iter("rect"):
        assert 0 <= float(shape.attrib["x"]) <= width
        assert 0 < float(shape.attrib["width"]) <= width
        assert float(shape.attrib["y"]) + float(shape.attrib["height"]) <= height
    assert drawing.attrib["role"] == "img"
    assert drawing.find("title").text
    assert not list(drawing.iter("script"))
    return drawing


def words(drawing: ElementTree.Element) -> list[str]:
    return [text.text for text in drawing.iter("text")]


@given(LEVELS, st.integers(0, 10**9))
def test_a_score_chart_shows_all_levels_and_the_unscored(counts, unscored):
    slices = [slice_of("all", score_counts=counts, unscored=unscored)]
    card = report_card(dataset="d", title="D", description="", project_version="0", slices=slices)
    shown = words(parsed(charts.score_chart(card.scores)))
    assert {"0 safe", "5 high", "no score"} <= set(shown)
    assert ("no documents" in shown) == (sum(counts) == 0)


@given(
    st.lists(st.lists(st.integers(0, 10**6), min_size=14, max_size=14), min_size=1, max_size=7),
    st.integers(1, 10**9),
)
def test_an_ngram_chart_has_one_bar_for_each_category_and_slice_it_draws(tables, tokens):
    slices = [
        slice_of(f"s{at}", score_counts=[1, 0, 0, 0, 0, 0], ngrams=ngram_counts(1, tokens, counts))
        for at, counts in enumerate(tables)
    ]
    drawing = parsed(charts.ngram_chart(slices))
    assert len(list(drawing.iter("rect"))) == 14 * min(len(tables), charts.SERIES)


def test_slices_without_tokens_or_without_counts_can_be_drawn():
    empty = slice_of("none", score_counts=[0] * 6, ngrams=ngram_counts(0, 0))
    assert "no tokens" in words(parsed(charts.ngram_chart([empty])))
    assert words(parsed(charts.ngram_chart([]))) == []
    assert "no tokens → no tokens" in words(parsed(charts.comparison_chart(compare_slices(empty, empty))))


def test_a_comparison_shows_both_rates_and_brackets_an_unclear_change():
    kept, rephrased, _ = example_slices()
    shown = words(parsed(charts.comparison_chart(compare_slices(rephrased, kept))))
    assert "46.7 → 5.08" in shown
    assert "−89\u2009%" in shown
    assert "(−17\u2009%)" in shown


def test_a_transition_chart_shows_each_count_with_its_share_of_the_row():
    shown = words(parsed(charts.transition_chart(transition_matrix([(1, 0, 900), (1, None, 100)]))))
    assert [word for word in shown if word[0] in "91" and word != "1 minimal"] == [
        "900",
        "90.0\u2009%",
        "100",
        "10.0\u2009%",
    ]


def test_names_are_escaped_and_long_labels_cut():
    chart = charts.share_chart("c", HOSTILE, [(HOSTILE, [(HOSTILE, "level0", 1)]), ("x" * 99, [])])
    drawing = parsed(chart)
    assert "<script" not in chart
    assert drawing.find("title").text == HOSTILE
    assert max(map(len, words(drawing))) <= 27


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0"),
        (1, "100"),
        (1e-6, "<0.01"),
        (0.0123, "1.2"),
        (0.00123, "0.12"),
        (0.5, "50.0"),
        (0.99999, "99.99"),
    ],
)
def test_a_percentage_tells_little_from_nothing(share, shown):
    assert wording.percent(share) == f"{shown}\u2009%"


def test_numbers_are_written_to_about_three_digits():
    assert [wording.rate(value) for value in (0, 0.001, 1.234, 12.34, 1234.5)] == [
        "0",
        "<0.01",
        "1.23",
        "12.3",
        "1,234",
    ]
    assert [wording.short(count) for count in (9_999_999, 70_610_000, 1_200_000_000)] == [
        "9,999,999",
        "70.6\u2009M",
        "1.20\u2009B",
    ]
    assert wording.span(None) == ""
    assert wording.span(Estimate(1, 0.5, 2)) == "0.50–2.00"
    assert wording.span(wilson(0, 20), "percent") == "0–16.1\u2009%"
    assert wording.plain_name("suicide_self_harm") == "Suicide and self-harm"
