"""A card is made from whole counts and cannot disagree with itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.harms import ScoreState
from safety_assets.intervals import garwood, wilson
from safety_assets.report_cards.card import (
    Disposition,
    compare_slices,
    input_table,
    precision_of,
    report_card,
    scorer_states,
    slice_of,
    transition_matrix,
)
from safety_assets.report_cards.errors import CardError
from tests.report_cards.examples import example_card, example_slices, ngram_counts

COUNTS = st.lists(st.integers(0, 10**6), min_size=6, max_size=6)
MINIMAL = {"dataset": "d", "title": "D", "description": "", "project_version": "0"}


@given(st.lists(st.tuples(COUNTS, st.integers(0, 1_000)), max_size=5))
def test_totals_and_shares_are_those_of_the_slices(parts):
    slices = [
        slice_of(f"s{at}", score_counts=counts, unscored=lost) for at, (counts, lost) in enumerate(parts)
    ]
    card = report_card(**MINIMAL, slices=slices)
    assert card.documents == sum(sum(counts) + lost for counts, lost in parts)
    assert sum(card.scores.counts) + card.scores.unscored == card.documents
    scored = sum(card.scores.counts)
    assert card.scores.shares == tuple(wilson(count, scored) for count in card.scores.counts)


def test_overall_rates_are_over_the_slices_that_were_counted():
    counted, other = example_slices()[0], slice_of("uncounted", score_counts=[5, 0, 0, 0, 0, 0], tokens=10**9)
    card = report_card(**MINIMAL, slices=[counted, other])
    assert card.ngrams == counted.ngrams
    assert card.tokens == counted.tokens + 10**9


def test_rates_use_the_tokens_given_or_else_the_words_counted():
    words, tokens = example_slices()[1], example_slices()[0]
    assert words.ngrams[0].rate == garwood(420, 9_000_000)
    assert tokens.ngrams[0].rate == garwood(310, 61_000_000)


def test_no_rows_make_a_card_without_estimates():
    empty = slice_of("nothing", score_counts=[0] * 6, ngrams=ngram_counts(0, 0))
    for card in (report_card(**MINIMAL, slices=[]), report_card(**MINIMAL, slices=[empty])):
        assert card.documents == card.tokens == 0
        assert card.scores.shares == (None,) * 6
        assert all(found.rate is None for found in card.ngrams)
    assert precision_of(0, 0, "nothing").share is None


def test_a_comparison_divides_rephrased_by_original():
    original = slice_of("o", score_counts=[0, 2, 0, 0, 0, 0], ngrams=ngram_counts(2, 1_000_000, [40] * 14))
    rephrased = slice_of("r", score_counts=[2, 0, 0, 0, 0, 0], ngrams=ngram_counts(2, 2_000_000, [20] * 14))
    change = compare_slices(original, rephrased).categories[0]
    assert change.ratio.value == pytest.approx(0.25)
    assert change.ratio.high < 1
    assert (change.original.rate.value, change.rephrased.rate.value) == pytest.approx((40, 10))


def test_the_digest_of_an_input_changes_with_any_snapshot_and_not_with_order():
    table = input_table("t", {"a": 3, "b": 7})
    assert (table.partitions, table.first_snapshot, table.last_snapshot) == (2, 3, 7)
    assert input_table("t", {"b": 7, "a": 3}) == table
    assert input_table("t", {"a": 3, "b": 8}).digest != table.digest
    assert input_table("t", {}).first_snapshot is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5) | st.none(), st.integers(0, 999))))
def test_a_transition_matrix_loses_no_document(changes):
    matrix = transition_matrix(changes)
    assert [len(row) for row in matrix] == [7] * 6
    assert sum(map(sum, matrix)) == sum(count for *_, count in changes)
    assert sum(row[6] for row in matrix) == sum(count for _, after, count in changes if after is None)


def test_every_state_stands_on_the_card_even_at_zero():
    states = scorer_states("s", {"scored": 4}).states
    assert [tally.name for tally in states] == [str(state) for state in ScoreState]
    assert sum(tally.count for tally in states) == 4


def test_the_time_of_a_card_is_utc():
    when = datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert report_card(**MINIMAL, slices=[], created_at=when).created_at == "2024-12-31T23:00:00+00:00"
    now = datetime.fromisoformat(report_card(**MINIMAL, slices=[]).created_at)
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: slice_of("s", score_counts=[1, 2, 3]), "six numbers"),
        (lambda: slice_of("s", score_counts=[1, 0, 0, 0, 0, -1]), "none negative"),
        (
            lambda: slice_of("s", score_counts=[1, 0, 0, 0, 0, 0], ngrams=ngram_counts(2, 9)),
            "n-grams were counted in 2",
        ),
        (
            lambda: slice_of(
                "s", score_counts=[1, 0, 0, 0, 0, 0], ngrams=ngram_counts(1, 9, [1] * 14), tokens=0
            ),
            "no rate",
        ),
        (lambda: scorer_states("s", {"fine": 1}), "unknown states fine"),
        (lambda: transition_matrix([(6, 0, 1)]), "level 6"),
        (lambda: precision_of(3, 2, "hand"), "measured by hand"),
        (lambda: example_card(slices=[example_slices()[0]] * 2), "Two slices"),
        (lambda: example_card(dispositions=[Disposition("lost", "", 1)]), "lost: no such disposition"),
        (lambda: example_card(created_at=datetime(2025, 1, 1)), "no time zone"),  # noqa: DTZ001
    ],
)
def test_counts_that_contradict_each_other_are_refused(make, message):
    with pytest.raises(CardError, match=message):
        make()
