"""What makes an answer unfit, one fault at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.language_model import Completion, FinishReason
from safety_assets.synthesis.validators import Fault, find_fault, key_terms, whole_sentences

SOURCE = "The harbour festival was loud and the neighbours complained about the trumpets all night long."
GOOD = "The harbour festival went on late, and some of the neighbours were kept awake by the trumpets."


def completion(text: str, reason: FinishReason = FinishReason.STOP) -> Completion:
    return Completion("id", text, reason, 10, 10)


def fault_of(answer: str, reason: FinishReason = FinishReason.STOP, **options) -> Fault | None:
    return find_fault(
        completion(answer, reason), whole_sentences(answer), options.pop("source", SOURCE), **options
    )


def test_a_faithful_retelling_has_no_fault():
    assert fault_of(GOOD) is None


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", Fault.EMPTY),
        ("I'm sorry, but I cannot help with the harbour festival or the neighbours.", Fault.REFUSAL),
        (
            "Here is a revised version of the text about the harbour festival and its trumpets.",
            Fault.META_TALK,
        ),
        (SOURCE, Fault.COPY_THROUGH),
        ("It was a day like any other, and the cat sat on the mat with a cup of tea.", Fault.UNFAITHFUL),
        ("Harbour festival trumpets neighbours loud complained harbour night.", Fault.OTHER_LANGUAGE),
        (
            "Das Hafenfest war laut, und die Nachbarn beschwerten sich über festival neighbours.",
            Fault.OTHER_LANGUAGE,
        ),
        (
            "The harbour festival is " + "so good and so loud and so good and so loud and " * 6 + "fine.",
            Fault.DEGENERATE,
        ),
    ],
)
def test_each_fault_is_found(answer, fault):
    assert fault_of(answer) is fault


def test_an_answer_cut_before_its_first_full_stop_is_truncated():
    assert fault_of("The harbour festival was", FinishReason.LENGTH) is Fault.TRUNCATED


def test_transport_failures_and_overlong_prompts_are_no_answers():
    assert fault_of(GOOD, FinishReason.FAILED) is Fault.FAILED
    assert fault_of(GOOD, FinishReason.TOO_LONG) is Fault.TOO_LONG


def test_a_refusal_is_fine_where_one_is_asked_for():
    assert (
        fault_of("I won't help, because it would hurt them and their families.", source="", may_refuse=True)
        is None
    )


def test_whole_sentences_drops_the_unfinished_end_and_list_residue():
    assert whole_sentences("One is here. Two is also here. Three is") == "One is here. Two is also here."
    assert whole_sentences("One is here.\n\n1. A list") == "One is here."


def test_an_opening_alone_is_no_sentence():
    opening = "Listeners, hear this. The part about"
    assert whole_sentences(opening, begun=len(opening)) == ""


@given(st.text(max_size=300), st.integers(0, 20))
def test_whole_sentences_never_adds_words(text, begun):
    begun = min(begun, len(text))
    kept = "".join(whole_sentences(text, begun=begun).split())
    assert "".join(text.split()).startswith(kept)


@given(st.text(max_size=400), st.integers(1, 5), st.integers(0, 6))
def test_key_terms_come_from_the_text(text, count, skip):
    terms = key_terms(text, count, skip=skip)
    assert len(terms) <= count
    assert all(term in text.lower() for term in terms)
