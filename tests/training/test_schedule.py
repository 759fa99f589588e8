"""The learning rate rises, stays, and falls: laws for any lengths of the phases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_assets.training.schedule import wsd

PHASES = st.tuples(st.integers(0, 40), st.integers(1, 60), st.integers(0, 40))


@given(PHASES)
def test_it_rises_stays_and_falls(phases):
    warmup, stable, decay = phases
    steps = warmup + stable + decay
    rates = [wsd(step, steps=steps, warmup=warmup, decay=decay) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert set(rates[warmup : warmup + stable]) == {1.0}
    assert rates[warmup + stable :] == sorted(rates[warmup + stable :], reverse=True)
    assert max(rates) == 1


@pytest.mark.parametrize(
    ("step", "steps", "warmup", "decay"), [(-1, 5, 1, 1), (5, 5, 1, 1), (0, 5, 3, 3), (0, 5, -1, 1)]
)
def test_a_step_outside_or_phases_that_do_not_fit_are_refused(step, steps, warmup, decay):
    with pytest.raises(ValueError, match="warm-up"):
        wsd(step, steps=steps, warmup=warmup, decay=decay)
