"""What is read is plain, and every span of it is a span of what was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from safety_assets.scoring.plain_text import plain_text

# Words with Cyrillic look-alikes, zero-width and fullwidth characters, words of other languages, and plain ones.
WORDS = st.sampled_from(
    [
        "hello",
        "p\u0430y",
        "wo\u200brd",
        "\uff48\uff49",
        "привет",
        "naïve",
        "\u200b",
        "東京",
        "x",
        "\ufeffend",
        "😀",
    ]
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n\n", "\t", "\u00a0"])), max_size=12).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)


def without_space(text: str) -> str:
    return "".join(text.split())


def test_plain_english_is_read_as_it_is():
    text = "Nothing here - not even [CLS] - is anything else."
    plain = plain_text(text)
    assert plain.text is text
    assert plain.span(3, 9) == (3, 9)


def test_look_alikes_and_invisible_characters_are_plain_and_other_languages_stay():
    assert plain_text("p\u0430y wo\u200brd \uff48\uff49").text == "pay word hi"
    assert plain_text("привет, 東京 naïve").text == "привет, 東京 naïve"


@given(TEXTS)
def test_the_whole_of_what_is_read_is_the_whole_of_what_was_written(written):
    plain = plain_text(written)
    assert plain.span(0, len(plain.text)) == (0, len(written))


@given(TEXTS, st.data())
def test_a_span_of_words_reads_as_those_words_do(written, data):
    plain = plain_text(written)
    cuts = [0, *(at for at, sign in enumerate(plain.text) if sign == " "), len(plain.text)]
    start, end = sorted((data.draw(st.sampled_from(cuts)), data.draw(st.sampled_from(cuts))))
    if start == end:
        return
    begin, finish = plain.span(start, end)
    assert 0 <= begin <= finish <= len(written)
    assert without_space(plain_text(written[begin:finish]).text) == without_space(plain.text[start:end])


@given(TEXTS, st.data())
def test_neighbouring_spans_leave_no_written_word_out(written, data):
    plain = plain_text(written)
    at = data.draw(st.integers(0, len(plain.text)))
    first, second = plain.span(0, at), plain.span(at, len(plain.text))
    covered = written[: first[1]] + written[max(first[1], second[0]) :]
    assert without_space(covered) == without_space(written) or at in (0, len(plain.text))


@given(st.text(max_size=60), st.data())
def test_any_text_and_any_span_stay_in_bounds(written, data):
    plain = plain_text(written)
    start = data.draw(st.integers(0, len(plain.text)))
    end = data.draw(st.integers(start, len(plain.text)))
    if start < end:
        begin, finish = plain.span(start, end)
        assert 0 <= begin <= finish <= len(written)
