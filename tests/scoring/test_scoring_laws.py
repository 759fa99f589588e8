"""Laws of a document's score, for any windows and any answers: the maximum counts, and no score is never safe."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.encoder import EncodedTexts
from resources.profile import ScoringProfile
from safety_assets.generation import Usage
from safety_assets.scoring.calibration import Calibration
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.llm_scorer import LlmCalibration
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.scorer import DocumentScorer
from safety_assets.scoring.weights import Linear
from tests.support.scripted_model import MemoryAnswers, ScriptedModel

LEVEL_LISTS = st.lists(st.integers(0, 5), max_size=6)
ANSWERS = st.one_of(st.none(), st.integers(0, 5))


class LinesEncoder:
    """One window for each line; its feature is the digit in it."""

    name, revision, dimension = "lines", "1", 1

    def exact(self):
        return self

    def encode(self, texts, *, max_tokens=None):
        spans = [
            (document, at, at + len(line))
            for document, text in enumerate(texts)
            for at, line in zip(_starts(text), text.split("\n"), strict=True)
            if line
        ]
        columns = np.array(spans, np.int64).reshape(-1, 3)
        digits = [int(texts[document][start:end]) for document, start, end in spans]
        features = np.array(digits, np.float32).reshape(-1, 1)
        return EncodedTexts(*columns.T, np.ones(len(spans), np.int64), features)


# The level of a window is its digit, and the highest window alone counts.
DIGITS = SafetyClassifier(
    head=Linear(np.full((5, 1), 9, np.float32), np.arange(1, 6, dtype=np.float32) * -9 + 4.5),
    lexical=None,
    lexical_weight=0.0,
    category=Linear(np.zeros((1, 1), np.float32), np.zeros(1, np.float32)),
    categories=("other",),
    calibration=Calibration(np.ones(5), np.zeros(5)),
    thresholds={level: 0.5 for level in range(1, 6)},
    window_tokens=8,
    margin=0.0,
    discount=0.0,
    version="digits",
)


def _starts(text: str) -> list[int]:
    lengths = [len(line) + 1 for line in text.split("\n")]
    return [sum(lengths[:index]) for index in range(len(lengths))]


def score(levels: list[int], answer: int | None):
    """The score of a page whose windows have ``levels`` and of which the language model says ``answer``."""

    class Model(ScriptedModel):
        def score_choices(self, prompts, choices):
            row = np.full(6, np.nan) if answer is None else np.log(np.eye(6)[answer] * 0.99 + 1e-3)
            return np.tile(row, (len(prompts), 1)).astype(np.float32)

    scorer = DocumentScorer(
        DocumentReader(LinesEncoder(), DIGITS),
        None,
        LlmCalibration({level: 0.5 for level in range(1, 6)}),
        None,
        Model(lambda _: ""),
        MemoryAnswers(),
        ScoringProfile(explain=False),
        Usage(),
    )
    (found,) = scorer.score([("a", "\n".join(map(str, levels)))])
    return found


@settings(deadline=None)
@given(LEVEL_LISTS, ANSWERS)
def test_the_score_is_the_maximum_where_both_scored_and_is_missing_otherwise(levels, answer):
    found = score(levels, answer)
    if levels and answer is not None:
        assert (found.score, found.state) == (max([*levels, answer]), "scored")
    else:
        assert found.score is None
        assert found.state != "scored"


@settings(deadline=None)
@given(LEVEL_LISTS, LEVEL_LISTS, st.integers(0, 5))
def test_more_windows_never_lower_a_score(levels, more, answer):
    alone, longer = score(levels, answer), score([*more, *levels, *more], answer)
    if alone.score is not None:
        assert longer.score >= alone.score


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 5), st.randoms())
def test_the_order_of_windows_does_not_matter(levels, answer, random):
    shuffled = random.sample(levels, len(levels))
    assert score(levels, answer).score == score(shuffled, answer).score


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), ANSWERS)
def test_only_an_unsafe_document_has_a_category(levels, answer):
    found = score(levels, answer)
    assert (found.category != "none") == bool(found.score)
    assert [segment.score for segment in found.segments] == levels
