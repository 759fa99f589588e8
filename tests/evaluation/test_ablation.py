"""The ablation table claims a difference only where intervals are apart, and its page shows and escapes everything."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.batches import record_batches
from safety_assets.evaluation.ablation import Standing, ablation_row, ablation_rows
from safety_assets.evaluation.ablation_charts import SERIES, Group, grouped_bars
from safety_assets.evaluation.ablation_page import ablation_html
from safety_assets.evaluation.errors import AblationError
from safety_assets.evaluation.measures import EvaluationRow, Measure, perplexity_row
from safety_assets.evaluation.over_refusal import Compliance
from safety_assets.evaluation.plan import Stage
from safety_assets.intervals import wilson
from safety_assets.pages import write_page

HOSTILE = '<script>alert("x")</script>&\''


def attack(recipe, counted, total, *, stage="base", decoding="greedy", unjudged=0, **other) -> EvaluationRow:
    share = wilson(counted, total - unjudged)
    ends = {"value": share.value, "low": share.low, "high": share.high} if share else {"value": None}
    named = {
        "prompt_set": "s",
        "part": "whole",
        "judge": "classifier",
        "judge_version": "1",
        "attack": "none",
    }
    return EvaluationRow(
        recipe,
        f"{recipe}-{stage}",
        stage,
        Measure.ATTACK_SUCCESS,
        total,
        decoding=decoding,
        counted=counted,
        unjudged=unjudged,
        **{**named, **ends, **other},
    )


def table(*rows, recipes=("raw", "safe"), **other):
    return ablation_rows(rows, recipes=recipes, judge="classifier", **other)


@pytest.mark.parametrize(
    ("counted", "unjudged", "standing"),
    [
        (10, 0, Standing.LOWER),
        (90, 0, Standing.HIGHER),
        (45, 0, Standing.NO_DIFFERENCE_SHOWN),
        # 10 of 50 judged would be lower, but the other 50 may all be harmful.
        (10, 50, Standing.NO_DIFFERENCE_SHOWN),
        (0, 100, Standing.NOT_COMPARABLE),
    ],
)
def test_a_difference_is_claimed_only_where_intervals_are_apart(counted, unjudged, standing):
    rows = table(attack("raw", 50, 100), attack("safe", counted, 100, unjudged=unjudged))
    assert [row.standing for row in rows] == [Standing.BASELINE, standing]


@given(st.integers(0, 60), st.integers(0, 40), st.integers(0, 40))
def test_unjudged_answers_never_make_a_claim_of_safety(harmful, harmless, unjudged):
    total = harmful + harmless + unjudged
    rows = table(attack("raw", 50, 100), attack("safe", harmful, total, unjudged=unjudged))
    if rows[1].standing is Standing.LOWER:
        assert wilson(harmful + unjudged, total).high < wilson(50, 100).low


def test_safe_beam_is_compared_with_the_plainly_decoded_baseline():
    rows = table(attack("raw", 50, 100), attack("safe", 5, 100, decoding="safe_beam"))
    assert rows[1].standing is Standing.LOWER
    own = attack("raw", 5, 100, decoding="safe_beam")
    rows = table(attack("raw", 50, 100), own, attack("safe", 5, 100, decoding="safe_beam"))
    assert rows[2].standing is Standing.NO_DIFFERENCE_SHOWN


def test_prompt_sets_of_a_kind_are_counted_together():
    (row,) = table(attack("raw", 1, 10), attack("raw", 5, 30, prompt_set="t"))
    assert (row.counted, row.total, row.value) == (6, 40, pytest.approx(0.15))


def test_over_refusal_is_partial_and_full_of_all_answers():
    counts = dict(zip(Compliance, (4, 3, 2, 1, 10), strict=True))
    rows = [
        EvaluationRow(
            "raw",
            "d",
            "instruct",
            Measure.COMPLIANCE,
            20,
            None,
            name=kind.value,
            counted=count,
            prompt_set=name,
        )
        for name in ("s", "t")
        for kind, count in counts.items()
    ]
    found = {row.measure: row for row in table(*rows)}
    assert (found["over_refusal"].counted, found["over_refusal"].total) == (6, 40)
    assert (found["short_circuit"].counted, found["short_circuit"].total) == (20, 40)


def test_other_judges_and_recipes_are_left_out():
    rows = table(attack("raw", 1, 10), attack("raw", 9, 10, judge="refusal-prefix"), attack("third", 1, 10))
    assert [(row.recipe, row.counted) for row in rows] == [("raw", 1)]


def test_two_checkpoints_or_two_judge_versions_are_refused():
    first = attack("raw", 1, 10)
    with pytest.raises(AblationError, match="two checkpoints for raw base"):
        table(first, perplexity_row("raw", "another", Stage.BASE, 3.0, 10))
    with pytest.raises(AblationError, match="two versions of the judge"):
        table(first, attack("safe", 1, 10, judge_version="2"))


def test_rows_fit_their_table(lake, written_by):
    rows = table(attack("raw", 1, 10), perplexity_row("raw", "raw-base", Stage.BASE, 9.5, 100))
    schema = lake.schema("ablation_table")
    records = [ablation_row(row, "all") for row in rows]
    assert set(records[0]) == set(schema.names)
    lake.replace_partition("ablation_table", record_batches(records, schema), written_by("all"))
    with lake.read("ablation_table") as reader:
        assert reader.read_all().num_rows == 2


def whole_ladder(recipes):
    rows = []
    for at, recipe in enumerate(recipes):
        for stage in Stage:
            rows.append(attack(recipe, 40 - 4 * at, 80, stage=stage.value))
        rows.append(perplexity_row(recipe, f"{recipe}-base", Stage.BASE, 20 + at, 1_000))
    rows.append(attack(recipes[-1], 4, 80, decoding="safe_beam", unjudged=3))
    return ablation_rows(rows, recipes=recipes, judge="classifier", baseline=recipes[0])


def drawings(page: str) -> list[ElementTree.Element]:
    parts = ["<svg" + part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
    return [ElementTree.fromstring(part) for part in parts]


def test_the_page_has_tables_intervals_charts_and_says_what_is_not_shown():
    recipes = ["raw", "score0_only", "plus_refusal", "plus_harmfulness_tags"]
    page = ablation_html(whole_ladder(recipes), recipes)
    assert "no difference shown at this size" in page
    assert "lower than Raw" in page
    told = " ".join(page.split())
    assert "1 value clearly differs from it. For 9 the intervals overlap: no difference shown" in told
    assert "3 unjudged" in page
    assert "50.0\u2009%<small>39.3\u2009% to 60.7\u2009%, 40 of 80</small>" in page
    charts = drawings(page)
    assert [chart.find("title").text for chart in charts] == [
        "Attack success rate by stage",
        "Attack success rate by recipe",
    ]
    for chart in charts:
        bars = len(list(chart.iter("rect")))
        assert bars and bars == sum(path.attrib["class"] == "whisker" for path in chart.iter("path"))
    assert "safe beam 5.2\u2009%" in charts[1].find("desc").text
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_everything_on_the_page_is_escaped():
    recipes = ["raw", HOSTILE]
    rows = [attack(recipe, 1, 10, judge="classifier") for recipe in recipes]
    page = ablation_html(table(*rows, recipes=recipes), recipes)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    drawings(page)


def test_an_empty_table_is_a_page_too(tmp_path):
    page = ablation_html([], ["raw"])
    assert "No results yet" in page
    path = write_page(page, tmp_path / "new" / "ablation.html")
    assert path.read_text("utf-8") == page
    assert [found.name for found in path.parent.iterdir()] == ["ablation.html"]


SHARES = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: wilson(pair[0], sum(pair)))


@given(st.lists(st.lists(SHARES, min_size=8, max_size=8), max_size=7))
def test_charts_are_well_formed_at_every_extreme(values):
    groups = [Group(f"{HOSTILE} {at} {'long ' * 30}", tuple(bars)) for at, bars in enumerate(values)]
    chart = ElementTree.fromstring(grouped_bars("c", HOSTILE, groups, [HOSTILE] * 8))
    width, height = (float(number) for number in chart.attrib["viewBox"].split()[2:])
    drawn = list(chart.iter("rect"))
    assert len(drawn) == sum(bar is not None for bars in values for bar in bars[:SERIES])
    for shape in drawn:
        x, y, wide, high = (float(shape.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + wide <= width and y >= 0 and y + high <= height and wide > 0 and high > 0
