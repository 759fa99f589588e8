"""Plans: exact windows for every recipe, positions that fill the training once, splits that follow the source."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.mixtures.plan import MixtureSettings, plan_mixture, positions_of, split_of
from safety_assets.mixtures.recipes import MixtureError, Recipe, load_recipes, with_general

RECIPES = load_recipes()
SIZES = st.builds(
    MixtureSettings,
    tokens=st.integers(200, 50_000),
    context=st.integers(8, 128),
    seed=st.integers(0, 5),
    interventions_start=st.sampled_from([0.0, 0.2, 0.6]),
)


@given(
    SIZES, st.sampled_from(sorted(RECIPES)), st.sampled_from([{}, {"code": 0.3}, {"code": 0.1, "maths": 0.2}])
)
def test_budgets_are_met_to_the_window_and_equal_over_recipes(settings, name, general):
    recipe = with_general(RECIPES[name], general)
    plans = plan_mixture(recipe, settings)
    assert sum(plan.windows for plan in plans) == settings.windows
    after = sum(plan.windows for plan in plans if plan.phase == "recipe")
    for plan in plans:
        if plan.phase == "recipe":
            assert abs(plan.windows - recipe.slices[plan.name] * after) < 1


@given(SIZES, st.sampled_from(sorted(RECIPES)))
def test_positions_fill_the_training_once_with_raw_text_first(settings, name):
    plans = plan_mixture(RECIPES[name], settings)
    positions = positions_of(plans, settings.seed)
    everything = np.concatenate(list(positions.values()))
    assert sorted(everything.tolist()) == list(range(settings.windows))
    before = [places for (phase, _), places in positions.items() if phase == "before"]
    assert sum(map(len, before)) == round(settings.windows * settings.interventions_start)
    assert all(places.max() < sum(map(len, before)) for places in before if len(places))
    assert {name for phase, name in positions if phase == "before"} <= {"web"}


def test_slices_are_mixed_and_not_one_after_another():
    settings = MixtureSettings(tokens=100_000, context=99)
    positions = positions_of(plan_mixture(RECIPES["plus_harmfulness_tags"], settings), seed=0)
    for places in positions.values():
        assert places.min() < 100 and places.max() > 900


@given(st.text(), st.floats(0, 1))
def test_a_split_depends_on_the_source_text_alone(text, share):
    assert split_of(text, share) == split_of(text, share)
    assert split_of(text, 0) == "train"
    assert split_of(text, 1) == "validation"


def test_a_larger_share_only_adds_to_what_is_held_out():
    held = [{n for n in range(500) if split_of(str(n), share) == "validation"} for share in (0.05, 0.2)]
    assert held[0] <= held[1]
    assert 60 < len(held[1]) < 140


def test_each_rung_of_the_ladder_adds_one_slice():
    ladder = ["score0_only", "plus_rephrase", "plus_refusal", "plus_moral_education", "plus_harmfulness_tags"]
    for lower, upper in itertools.pairwise(ladder):
        added = set(RECIPES[upper].slices) - set(RECIPES[lower].slices)
        assert len(added) == 1
        (name,) = added
        kept = {
            other: share for other, share in RECIPES[upper].slices.items() if other not in (name, "safe_web")
        }
        assert kept == {other: share for other, share in RECIPES[lower].slices.items() if other != "safe_web"}


def test_only_the_recipes_with_marks_know_them():
    assert [name for name, recipe in RECIPES.items() if recipe.tagged] == ["plus_harmfulness_tags"]
    assert [name for name, recipe in RECIPES.items() if recipe.reflected] == ["safety_reflection"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {description: d, slices: {web: 0.5}}", "sum to 0.5"),
        ("a: {description: d, slices: {nosuch: 1.0}}", "nosuch"),
        ("a: {description: d, slices: {web: 1.5, safe_web: -0.5}}", "none below 0"),
        ("a: {slices: {web: 1.0}}", "cannot be read"),
        ("- a", "cannot be read"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_recipe_that_does_not_add_up_is_refused(tmp_path, text, said):
    (tmp_path / "recipes.yaml").write_text(text)
    with pytest.raises(MixtureError, match=said):
        load_recipes(tmp_path / "recipes.yaml")


def test_general_corpora_must_leave_something():
    with pytest.raises(MixtureError, match="leave some"):
        with_general(RECIPES["raw"], {"code": 1.0})


def test_a_budget_of_no_window_is_refused():
    with pytest.raises(MixtureError, match="gives no window"):
        plan_mixture(Recipe("r", "d", {"web": 1.0}), MixtureSettings(tokens=10, context=20))
