"""Attacks change texts, the same way each time; what they disguise can be read, and their effect is counted."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.benchmark.attacks import ATTACKS, attacks
from safety_assets.benchmark.disguises import LOOK_ALIKES
from safety_assets.sample_data.sample import Split, load_seeds
from safety_assets.scoring.views import plain_view, unmasked_view
from safety_assets.sentences import count_words, sentence_spans

HARMLESS = ["The bakery opens at seven and sells rye bread.", "Rain is likely in the hills on Sunday."]
TEXT = "Nobody came to the meeting. The others were told to stay away from that house, or else."
KINDS = {"instruction", "encoding", "spelling", "dilution", "language", "length"}
WHOLE = [name for name, attack in ATTACKS.items() if attack.kind in {"instruction", "dilution", "language"}]
DISGUISES = [name for name, attack in ATTACKS.items() if attack.kind in {"encoding", "spelling"}]


@pytest.fixture(scope="module")
def seeds() -> list[str]:
    return [seed.text for seed in load_seeds() if seed.split is Split.TEST]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[a-z']+", text.lower()))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_changes_a_text_and_is_repeatable(name):
    attack = ATTACKS[name]
    assert attack.kind in KINDS
    assert attack(TEXT) != TEXT
    assert attack(TEXT) == attack(TEXT)
    assert attack.apply(TEXT, random.Random(3)) == attack.apply(TEXT, random.Random(3))


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(categories=None), max_size=60), st.sampled_from(attacks(HARMLESS)))
def test_no_text_stops_an_attack_or_a_reading_of_it(text, attack):
    attacked = attack(text)
    assert plain_view(attacked) == plain_view(plain_view(attacked))
    assert isinstance(unmasked_view(attacked), str)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_written_beside_a_text_leaves_all_its_sentences(name):
    attacked = ATTACKS[name](TEXT)
    assert all(TEXT[start:end] in attacked for start, end in sentence_spans(TEXT))


@pytest.mark.parametrize("name", DISGUISES)
def test_disguised_words_are_read_again(name, seeds):
    """Of all words of the test seeds, nine in ten; a disguise hides most, or it were none."""
    written, read, seen = Counter(), 0, 0
    for text in seeds:
        attacked, own = ATTACKS[name](text), words(text)
        written += own
        read += (own & words(unmasked_view(attacked))).total()
        seen += (own & words(attacked)).total()
    assert read >= 0.9 * written.total()
    if name not in {"capitals", "percent escapes", "some letters apart"}:
        assert seen < 0.4 * written.total()


def test_look_alikes_are_other_letters():
    assert all(
        len(letter) == 1 and letter.isascii() and others and not any(other.isascii() for other in others)
        for letter, others in LOOK_ALIKES.items()
    )


@pytest.mark.parametrize(
    ("name", "least"), [("1,000 harmless words around", 1_000), ("5,000 harmless words around", 5_000)]
)
def test_padding_has_the_words_it_says_and_hides_the_text_inside(name, least):
    attacked = ATTACKS[name](TEXT)
    assert count_words(attacked) == least + count_words(TEXT)
    before, _, after = attacked.partition(TEXT)
    assert min(count_words(before), count_words(after)) >= least // 10


def test_padding_is_taken_from_the_texts_given():
    padding = {attack.name: attack for attack in attacks(HARMLESS)}["1,000 harmless words before"]
    assert set(padding("x").split()) <= set(" ".join([*HARMLESS, "x"]).split())


def test_an_attack_depends_on_its_seed_and_on_nothing_else():
    again = {attack.name: attack for attack in attacks(HARMLESS)}
    for name, attack in {attack.name: attack for attack in attacks(HARMLESS)}.items():
        assert attack(TEXT) == again[name](TEXT)
    assert [again[name](TEXT) for name in again] != [again[name](TEXT, seed=1) for name in again]
