"""Names and occupations in the place of roles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from safety_assets.rendering.speakers import NAMES, OCCUPATIONS, speakers_of

ROLES = {"user", "assistant", "system", "human", "ai", "bot", "model", "chatbot"}


def test_there_are_enough_of_each_and_none_is_a_role():
    for speakers in (NAMES, OCCUPATIONS):
        assert len(set(speakers)) == len(speakers) >= 40
        assert not ROLES & {speaker.lower() for speaker in speakers}


@given(st.lists(st.sampled_from(["user", "assistant", "system"]), max_size=8), st.text(), st.integers(0, 9))
def test_a_role_keeps_its_speaker_and_roles_have_different_ones(roles, key, seed):
    speakers = speakers_of(roles, key=key, seed=seed)
    assert len(set(zip(roles, speakers, strict=True))) == len(set(roles)) == len(set(speakers))
    assert speakers == speakers_of(roles, key=key, seed=seed)


def test_keys_and_seeds_draw_different_speakers():
    roles = ["user", "assistant"]
    by_key = [tuple(speakers_of(roles, key=str(number))) for number in range(400)]
    by_seed = {tuple(speakers_of(roles, key="k", seed=number)) for number in range(50)}
    assert len(set(by_key)) > 300
    assert len(by_seed) > 40
    named = sum(first in NAMES for first, _ in by_key)
    assert 140 < named < 260
    assert all((first in NAMES) == (second in NAMES) for first, second in by_key)
