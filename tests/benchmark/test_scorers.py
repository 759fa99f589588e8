"""Scorers give one score for each text, mark what they could not score, and treat a text as data."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from resources.language_model import Completion, FinishReason
from resources.model_store import LocalModel
from resources.profile import ScoringProfile
from safety_assets.benchmark.errors import ScorerError
from safety_assets.benchmark.guards import GUARDS, ClassifierScorer, GuardScorer, harm_of_verdict, pieces
from safety_assets.benchmark.openers import DEFAULT_SCORERS, SCORERS, Opener
from safety_assets.benchmark.running import run_scorer
from safety_assets.benchmark.scored import Scored
from safety_assets.benchmark.words import ProfanityScorer, WordListScorer
from tests.benchmark.scripted import PERFECT, Scripted, labelled
from tests.support.scripted_model import ScriptedModel

CALM = "The library opens at nine, and the reading room is on the second floor beside the garden."
RUDE = "You are a stupid idiot and I hate you, now shut up."
THREAT = "I am going to kill you tomorrow."


# -- words ------------------------------------------------------------------------------------------------------------


def test_the_word_list_grades_by_the_worst_word_and_orders_by_density():
    scored = WordListScorer().score([CALM, "What the hell.", RUDE, THREAT, "", RUDE + " " + CALM * 5])
    assert scored.levels.tolist() == [0, 1, 2, 5, 0, 2]
    assert scored.harm[2] > scored.harm[5] > scored.harm[1]
    assert scored.gives_levels and not scored.probability


@pytest.mark.parametrize(
    "harmless", ["Scunthorpe assassin classic", "shellfish", "a skilled painter", "dumbbell"]
)
def test_words_count_only_whole(harmless):
    assert WordListScorer().score([harmless]).levels.tolist() == [0]


def test_case_and_white_space_do_not_hide_a_phrase():
    assert WordListScorer().score(["SHUT\n  up!", "i will KILL\tYOU"]).levels.tolist() == [2, 5]


def test_a_list_of_ones_own_with_and_without_levels(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# own words\nblorp\n4\tgrand  frimble # a comment\n")
    scorer = WordListScorer(path)
    assert scorer.score(["a blorp", "the grand frimble", "blorps"]).levels.tolist() == [3, 4, 0]
    path.write_text("blorp\n")
    assert WordListScorer(path).version != scorer.version


@pytest.mark.parametrize("text", ["", "# nothing\n", "9\tword\n", "high\tword\n"])
def test_a_list_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(ScorerError, match=r"list\.txt"):
        WordListScorer(path)


def test_the_profanity_checker_gives_probabilities_of_its_own():
    scored = ProfanityScorer().score([CALM, RUDE])
    assert scored.harm[0] < 0.2 < 0.8 < scored.harm[1]
    assert scored.at_least(3).tolist() == [False, True]
    assert not scored.gives_levels
    assert len(ProfanityScorer().score([]).harm) == 0


# -- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "answer", "harm"),
    [
        ("llama-guard", "\n\nsafe", 0.0),
        ("llama-guard", "\n\nunsafe\nS1,S10", 1.0),
        ("llama-guard", "Unsafe", 1.0),
        ("llama-guard", "I think this is safe", None),
        ("llama-guard", "safety first", None),
        ("llama-guard", "", None),
        ("qwen3guard", "Safety: Safe\nCategories: None", 0.0),
        ("qwen3guard", "Safety: Unsafe\nCategories: Violent", 1.0),
        ("qwen3guard", "Safety: Controversial\nCategories: Politically Sensitive Topics", 0.5),
        ("qwen3guard", "Categories: None", None),
        ("qwen3guard", "safe", None),
    ],
)
def test_a_verdict_is_read_or_there_is_none(guard, answer, harm):
    found = harm_of_verdict(GUARDS[guard], answer)
    assert np.isnan(found) if harm is None else found == harm


def guard_saying(answer) -> GuardScorer:
    return GuardScorer(GUARDS["llama-guard"], ScriptedModel(answer))


def test_a_guard_is_asked_about_the_text_alone_and_keeps_the_order():
    model = ScriptedModel(
        lambda request: "unsafe\nS1" if "kill" in request.prompt.messages[0].content else "safe"
    )
    scored = GuardScorer(GUARDS["llama-guard"], model).score([CALM, THREAT, CALM])
    assert scored.harm.tolist() == [0.0, 1.0, 0.0]
    assert {tuple(message.role for message in request.prompt.messages) for request in model.asked} == {
        ("user",)
    }
    assert {request.prompt.messages[0].content for request in model.asked} == {CALM, THREAT}


def test_a_long_text_is_as_harmful_as_its_worst_piece():
    long = (CALM + " ") * 200 + THREAT
    assert "".join(pieces(long)) == long
    assert max(map(len, pieces(long))) <= 6_000 < len(long)
    scorer = guard_saying(
        lambda request: "unsafe" if "kill" in request.prompt.messages[0].content else "safe"
    )
    assert scorer.score([long, CALM]).harm.tolist() == [1.0, 0.0]


def test_a_guard_without_a_verdict_gives_no_score():
    too_long = guard_saying(lambda request: Completion(request.request_id, "", FinishReason.TOO_LONG, 9, 0))
    assert not too_long.score([CALM]).made.any()
    assert not guard_saying(lambda _: "I cannot help with that").score([CALM]).made.any()
    assert not guard_saying(lambda _: "safe").score([""]).made.any(), "nothing was read"


def test_one_unreadable_piece_hides_no_harm_and_makes_nothing_safe():
    """A text is called harmful by any piece, but never safe while one of its pieces is unjudged."""
    long = (CALM + " ") * 200

    def answer(request, last: str) -> str:
        return "?" if request.prompt.messages[0].content.startswith(CALM) else last

    assert guard_saying(lambda request: answer(request, "unsafe")).score([long]).harm.tolist() == [1.0]
    assert np.isnan(guard_saying(lambda request: answer(request, "safe")).score([long]).harm).all()


# -- text classifiers --------------------------------------------------------------------------------------------------


def tiny_classifier(folder: Path, labels: dict[int, str], **settings) -> LocalModel:
    """A BERT of a few hundred weights whose harmful label fires on the word "kill"."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "kill", "calm", "[", "]", "sep"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=32)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=32,
        id2label=labels,
        label2id={label: place for place, label in labels.items()},
        **settings,
    )
    model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    return LocalModel("tiny", folder, "revision")


def test_a_text_classifier_reads_long_texts_whole_and_the_worst_window_counts(tmp_path):
    scorer = ClassifierScorer("detoxify", tiny_classifier(tmp_path / "m", {0: "toxic", 1: "obscene"}))
    texts = ["calm", "kill", "calm " * 100 + "kill", "calm " * 100, ""]
    together, alone = scorer.score(texts), [scorer.score([text]) for text in texts]
    np.testing.assert_allclose(together.harm, [one.harm[0] for one in alone], atol=1e-6)
    assert np.isnan(together.harm[4]), "nothing was read"
    assert len(scorer._windows(texts[2])) == 4
    window = scorer.score(["calm " * 29 + "kill"]).harm[0], scorer.score(["calm " * 30]).harm[0]
    assert together.harm[2] >= min(window) and together.probability


def test_what_looks_like_a_special_token_is_text(tmp_path):
    scorer = ClassifierScorer("detoxify", tiny_classifier(tmp_path / "m", {0: "toxicity", 1: "x"}))
    ids = scorer._windows("calm [SEP] kill")[0]
    assert ids.count(3) == 1, "only the separator that ends the window"


def test_two_classes_share_one_probability_several_labels_do_not(tmp_path):
    two = ClassifierScorer("a", tiny_classifier(tmp_path / "two", {0: "non-toxic", 1: "toxic"}))
    flipped = ClassifierScorer("b", tiny_classifier(tmp_path / "flip", {0: "toxic", 1: "non-toxic"}))
    harm, other = two.score(["kill"]).harm[0], flipped.score(["kill"]).harm[0]
    assert harm + other == pytest.approx(1), "the same weights, the other class"
    many = ClassifierScorer(
        "c",
        tiny_classifier(
            tmp_path / "many", {0: "toxic", 1: "rude"}, problem_type="multi_label_classification"
        ),
    )
    assert many.score(["kill"]).harm[0] != pytest.approx(other)


@pytest.mark.parametrize("labels", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "very toxic", 1: "toxic remark"}])
def test_a_label_that_is_not_clear_is_refused(tmp_path, labels):
    with pytest.raises(ScorerError, match="label"):
        ClassifierScorer("detoxify", tiny_classifier(tmp_path / "m", labels))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ScorerError, match="cannot be loaded"):
        ClassifierScorer("detoxify", LocalModel("none", tmp_path, "0"))


# -- opening and running -----------------------------------------------------------------------------------------------


def test_unknown_scorers_and_missing_models_are_named_before_anything_loads():
    with pytest.raises(ScorerError, match="no scorer 'embeding'"):
        Opener("embeding")
    with pytest.raises(ScorerError, match="llama-guard=FOLDER"):
        Opener("llama-guard")
    assert set(DEFAULT_SCORERS) < set(SCORERS)


def test_an_opener_shows_no_bytes_and_travels():
    opener = Opener("embedding", head=b"x" * 9_999)
    assert len(repr(opener)) < 400
    assert pickle.loads(pickle.dumps(opener)) == opener


def test_a_scorer_in_a_process_of_its_own_scores_the_same_and_tells_its_memory():
    texts = [CALM, RUDE, THREAT]
    alone = run_scorer(Opener("word-list"), texts, [texts[:1], []])
    here = run_scorer(Opener("word-list"), texts, [texts[:1], []], isolated=False)
    assert alone.scored.levels.tolist() == here.scored.levels.tolist() == [0, 2, 5]
    assert [len(other.harm) for other in alone.others] == [1, 0]
    assert 20 < alone.cost.peak_memory_mb < 1_500
    assert here.cost.peak_memory_mb is None, "the memory of this process is not the scorer's"
    assert alone.cost.documents == 3 and alone.cost.documents_per_second > 0


def test_memory_does_not_depend_on_what_this_process_holds():
    before = run_scorer(Opener("word-list"), [CALM]).cost.peak_memory_mb
    held = np.ones(60_000_000)  # 480 MB
    after = run_scorer(Opener("word-list"), [CALM]).cost.peak_memory_mb
    assert held.sum() > 0
    assert after < before + 100


def test_a_model_that_is_missing_is_told_from_the_other_process(tmp_path):
    from resources.errors import ResourceError

    with pytest.raises(ResourceError, match=r"config\.json"):
        run_scorer(Opener("detoxify", models={"detoxify": str(tmp_path)}), [CALM])


class Dying:
    """Ends its process, as a lack of memory does."""

    def __call__(self):
        import os

        os._exit(9)

    def __str__(self) -> str:
        return "scorer dying"


def test_a_process_that_dies_is_an_error_and_not_a_wait():
    with pytest.raises(ScorerError, match="scorer dying ended without an answer"):
        run_scorer(Dying(), [CALM])


def test_too_few_scores_are_an_error():
    class Short(Scripted):
        def score(self, texts):
            return Scored.of_harm(np.zeros(max(len(texts) - 1, 0)))

    with pytest.raises(ScorerError, match="gave 2 scores for 3 texts"):
        run_scorer(Short(PERFECT.answer), [text.text for text in labelled(3)], isolated=False)


# -- the language model ------------------------------------------------------------------------------------------------


def test_the_language_model_in_json_mode_marks_what_it_did_not_answer():
    from safety_assets.benchmark.scorers import LanguageModelScorer
    from safety_assets.scoring.llm_scorer import LlmCalibration

    def answer(request) -> str:
        page = request.prompt.messages[-1].content
        return "no idea" if "garden" in page else '5, "reason": "a threat"}'

    scorer = LanguageModelScorer(ScriptedModel(answer), LlmCalibration({}), ScoringProfile(llm_mode="json"))
    scored = scorer.score([CALM, THREAT])
    assert scored.made.tolist() == [False, True]
    assert scored.levels.tolist()[1] == 5


def test_a_language_model_at_chance_says_nothing_and_changes_nothing():
    """Its answers are the same for every text: calibration gives no level, so the maximum is the other scorer's."""
    from safety_assets.benchmark.scorers import EnsembleScorer, LanguageModelScorer
    from safety_assets.scoring.llm_scorer import LlmCalibration

    asked = LanguageModelScorer(ScriptedModel(lambda _: ""), LlmCalibration({}), ScoringProfile())
    texts = [text.text for text in labelled(12)]
    together = EnsembleScorer(PERFECT, asked).score(texts)
    assert (asked.score(texts).levels == 0).all()
    assert (together.levels == PERFECT.score(texts).levels).all()
    np.testing.assert_allclose(together.harm, np.clip(PERFECT.score(texts).harm, 1e-6, 1 - 1e-6), atol=1e-9)


def test_the_ensemble_scores_only_what_both_scored():
    from safety_assets.benchmark.scorers import EnsembleScorer

    first = Scripted(lambda text: None if "0" in text.split()[2] else (1, 0.1))
    second = Scripted(lambda text: None if "1" in text.split()[2] else (4, 0.9))
    scored = EnsembleScorer(first, second).score([text.text for text in labelled(4)])
    assert scored.made.tolist() == [False, False, True, True]
    assert scored.levels.tolist() == [-1, -1, 4, 4]
    assert (scored.harm[2:] >= 0.8).all()


def opinions(*rows: tuple[int, float] | None) -> Scripted:
    return Scripted(lambda text: rows[int(text.split()[2])])


def test_a_combination_that_hears_nothing_leaves_the_classifier_as_it_is():
    from safety_assets.benchmark.scorers import CombinationScorer
    from safety_assets.scoring.calibration import Calibration
    from safety_assets.scoring.ensemble import ALONE, Combination

    neutral = Calibration(np.ones(5), np.zeros(5))
    deaf = Combination(np.tile(ALONE, (5, 1)), neutral, {3: 0.9})
    texts = [text.text for text in labelled(3)]
    first, second = opinions((1, 0.2), (4, 0.8), (2, 0.5)), opinions((5, 0.99), (0, 0.01), None)
    scored = CombinationScorer(first, second, deaf).score(texts)
    assert scored.levels.tolist() == [1, 4, -1], "no score unless both scored"
    np.testing.assert_allclose(scored.harm[:2], [0.2, 0.8], atol=1e-6)
    heard = Combination(np.tile([0.5, 0.5, 0.0, 0.0], (5, 1)), neutral, {3: 0.6})
    together = CombinationScorer(first, second, heard).score(texts)
    assert 0.2 < together.harm[0] < 0.99 and 0.01 < together.harm[1] < 0.8
    assert together.levels.tolist() == [3, 0, -1]
