"""Reading documents: disguises are read through, segments cover the page, and nothing to read is no score."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace

import numpy as np
import pytest

from safety_assets.harms import HarmCategory

CALM = "The library opens at nine, and the reading room is on the second floor beside the garden. "
THREAT = "I hate you and I am going to kill you. You will be dead before Sunday, and I will enjoy it. "
CYRILLIC = str.maketrans("aeopc", "аеорс")


def disguises(text: str) -> dict[str, str]:
    return {
        "look-alikes": text.translate(CYRILLIC),
        "zero width": "\u200b".join(text),
        "base64": "Notes.\n" + base64.b64encode(text.encode()).decode() + "\nEnd.",
        "fullwidth": "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text),
    }


@pytest.mark.parametrize("name", list(disguises(THREAT)))
def test_a_disguised_threat_is_read_as_the_threat_it_is(reader, name):
    plain, hidden = reader.read([THREAT * 2, disguises(THREAT * 2)[name]])
    assert plain.level >= 4
    assert hidden.level >= plain.level - 1


def test_disguises_alone_make_nothing_unsafe(reader):
    apart = " ".join(CALM * 3)
    backwards = " ".join(word[::-1] for word in (CALM * 3).split())
    read = reader.read([*disguises(CALM * 3).values(), apart, backwards, ".".join(CALM * 3)])
    assert [found.level for found in read] == [0] * 7


def test_segments_cover_the_page_as_it_was_written_and_are_never_above_it(reader):
    page = (CALM * 12 + THREAT * 6 + CALM * 12).translate(CYRILLIC)
    (read,) = reader.read([page])
    assert len(read.segments) > 2
    assert "".join("".join(page[s.char_start : s.char_end].split()) for s in read.segments) == "".join(
        page.split()
    )
    assert max(segment.score for segment in read.segments) <= read.level
    worst = max(read.segments, key=lambda segment: np.arange(6) @ segment.probabilities)
    assert THREAT[:20].translate(CYRILLIC) in page[worst.char_start : worst.char_end]


def test_probabilities_are_of_the_six_levels(reader):
    for read in reader.read([CALM, THREAT]):
        assert len(read.probabilities) == 6
        assert sum(read.probabilities) == pytest.approx(1, abs=1e-5)
        assert HarmCategory(read.category) is not HarmCategory.NONE
        assert 0 < read.category_probability <= 1


def test_nothing_to_read_is_no_score(reader):
    empty, blank, calm = reader.read(["", " \n ", CALM])
    assert (empty.level, blank.level) == (None, None)
    assert calm.level == 0
    assert np.isnan(reader.document_logits([""])).all()


def test_a_vote_that_is_no_number_is_no_score_in_whichever_reading(reader, monkeypatch):
    texts = [CALM + "k1ll m3 n0w", disguises(THREAT)["base64"], CALM]
    votes = reader.classifier.window_logits

    def broken(self, pieces, features):
        logits = votes(pieces, features)
        return np.where([["k1ll" in piece or "going to" in piece] for piece in pieces], np.nan, logits)

    monkeypatch.setattr(type(reader.classifier), "window_logits", broken)
    assert [read.level for read in reader.read(texts)] == [None, None, 0]


def test_what_a_mask_hides_says_of_which_category_it_is(reader):
    page = CALM * 2 + "\n" + disguises(THREAT * 2)["base64"]
    (read,) = reader.read([page])
    assert "kill you" in read.worst
    assert read.category == reader.read([THREAT * 2])[0].category


def test_company_does_not_change_a_reading(reader):
    texts = [CALM, THREAT, CALM * 40, disguises(THREAT)["base64"]]
    together = [read.level for read in reader.read(texts)]
    assert together == [reader.read([text])[0].level for text in texts]


def test_reading_and_votes_agree(reader):
    texts = [CALM * 4, THREAT * 3, disguises(THREAT)["base64"]]
    levels = reader.classifier.levels(reader.classifier.probabilities(reader.document_logits(texts)))
    assert levels.tolist() == [read.level for read in reader.read(texts)]


class Rounding:
    """An encoder whose embeddings are off by a little."""

    def __init__(self, encoder, by):
        self.whole, self.by, self.asked = encoder, by, []

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def exact(self):
        return self.whole

    def encode(self, texts, *, max_tokens=None):
        self.asked += texts
        found = self.whole.encode(texts, max_tokens=max_tokens)
        return replace(found, embeddings=found.embeddings + np.float32(self.by))


def test_only_what_rounding_could_move_to_another_level_is_read_again(reader):
    texts = [CALM, THREAT]
    reader = copy.copy(reader)
    reader.encoder = reader.encoder.exact()
    whole, votes = reader.read(texts), reader.document_logits(texts)
    # A threshold of level 1 exactly where the calm text stands, so that any rounding downwards moves it.
    least = float(reader.classifier.probabilities(votes)[0, 0])
    strict = copy.copy(reader)
    strict.classifier = replace(reader.classifier, thresholds={1: least})
    strict.encoder = Rounding(reader.encoder, -1e-4)
    found = strict.read(texts)
    assert [document.level for document in found] == [1, 1]
    assert found[0].probabilities == pytest.approx(whole[0].probabilities, abs=1e-6)
    assert found[1].probabilities != whole[1].probabilities
    assert strict.encoder.asked == texts
