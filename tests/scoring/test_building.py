"""How the packaged head is made: what may train it, what a window says, and that what was trained is what is shipped."""

from __future__ import annotations

import json
import random
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.encoder import open_encoder
from resources.profile import EncoderProfile, safety_home
from safety_assets.harms import HARM_CATEGORIES, HarmCategory
from safety_assets.sample_data.sample import Split, load_seeds
from safety_assets.scoring.building.adapters import AdaptedNetwork, AdapterSettings
from safety_assets.scoring.building.compose import LONGEST_CHARS, SHARES, Composer, with_context
from safety_assets.scoring.building.harm_names import CATEGORIES, category_of, project_category
from safety_assets.scoring.building.lexical import fit_lexical
from safety_assets.scoring.building.measures import folds
from safety_assets.scoring.building.sources import (
    HELD_BACK,
    LICENCES,
    OWN_SOURCES,
    PERMISSIVE,
    WRITTEN,
    SourceText,
    UnlicensedSourceError,
    licence_of,
    public_texts,
    read_sources,
    seeds_and_chats,
    written_texts,
)
from safety_assets.scoring.building.statistics import auroc, macro_f1
from safety_assets.scoring.building.targets import SEXISM, soft_target
from safety_assets.scoring.building.training import train_network
from safety_assets.scoring.packaged import HEAD, PACKAGED_ENCODER, packaged_classifier
from safety_assets.scoring.reading import DocumentReader
from safety_assets.scoring.weights import lexical_features, sigmoid

UNLISTED = ["do-not-answer", "med-safety-bench", "safety-tuned-llamas", "c4-1000", ""]
WORDS = st.lists(
    st.sampled_from("a river ran past the old stone mill and on".split()), min_size=1, max_size=150
)
SOURCE_TEXTS = st.one_of(
    st.builds(
        SourceText,
        source=st.sampled_from(OWN_SOURCES),
        text=st.text(min_size=1),
        score=st.integers(0, 5),
    ),
    st.builds(
        SourceText,
        source=st.just("davidson"),
        text=st.text(),
        votes=st.tuples(*[st.integers(0, 9)] * 3).filter(any),
    ),
    st.builds(SourceText, source=st.just("edos"), text=st.text(), label=st.sampled_from(sorted(SEXISM))),
    st.builds(
        SourceText,
        source=st.sampled_from(["rtp-2400", "perspective-wiki2k"]),
        text=st.text(),
        toxicity=st.floats(0, 1),
        severe=st.floats(0, 1),
    ),
    st.builds(
        SourceText,
        source=st.sampled_from(["catqa", "advbench", "tdc2023", "malicious-instruct"]),
        text=st.text(),
        category=st.sampled_from(["", "Adult Content/Erotic text", "Tailored Financial Advice/Tax planning"]),
    ),
)


@pytest.fixture(scope="module")
def encoder(packaged_models):
    return open_encoder(EncoderProfile(model=f"package:{PACKAGED_ENCODER}"), safety_home() / "models")


@pytest.fixture(scope="module")
def folder(packaged_models):
    return packaged_models[PACKAGED_ENCODER].folder


def own_texts():
    """The project's own texts: nothing else is needed to make a head, only to make a good one."""
    return [*seeds_and_chats(), *(text for text, _ in written_texts())]


@pytest.fixture(scope="module")
def composer():
    return Composer(own_texts(), {"own": SHARES["own"]})


# --- What may train ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", UNLISTED)
def test_a_source_outside_the_licence_table_trains_nothing(source, tmp_path):
    with pytest.raises(UnlicensedSourceError, match="no permissive licence"):
        licence_of(source)
    with pytest.raises(UnlicensedSourceError):
        list(public_texts(tmp_path, ["advbench", source]))
    with pytest.raises(UnlicensedSourceError):
        soft_target(SourceText(source, "text", score=0))


def test_a_licence_that_is_not_permissive_is_refused_although_the_source_is_listed(monkeypatch):
    monkeypatch.setitem(LICENCES, "borrowed", "CC-BY-NC-4.0")
    with pytest.raises(UnlicensedSourceError):
        licence_of("borrowed")


def test_every_listed_licence_is_permissive():
    assert set(LICENCES.values()) <= set(PERMISSIVE)


def data_folder(folder, requests, oracle):
    """A data folder of requests and annotations, without toxicity."""
    for name, rows in (("toxicity", []), ("harmful_requests", requests), ("oracle_annotations", oracle)):
        lines = [json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_only_listed_sources_are_read_and_never_a_text_that_the_oracle_labelled(tmp_path):
    requests = [{"source": "advbench", "text": f"Do thing number {index}"} for index in range(400)]
    unlisted = [{"source": "do-not-answer", "text": f"Ask thing number {index}"} for index in range(50)]
    oracle = [{"text": "do thing NUMBER 7!"}, {"text": "something else"}]
    found = read_sources(data_folder(tmp_path, requests + unlisted, oracle))
    public, held_back = (
        [text.text for text in part if text.source not in OWN_SOURCES]
        for part in (found.train, found.held_back)
    )
    read = public + held_back
    assert sorted(read) == sorted(row["text"] for row in requests if row["text"] != "Do thing number 7")
    assert abs(len(held_back) / len(read) - HELD_BACK) < 0.06


def test_what_is_held_back_depends_on_the_words_alone(tmp_path):
    rows = [{"source": "advbench", "text": f"Do thing number {index}"} for index in range(200)]
    shouted = [{**row, "text": row["text"].upper() + "!!"} for row in reversed(rows)]
    kept = []
    for name, written in (("plain", rows), ("shouted", shouted)):
        (tmp_path / name).mkdir()
        found = read_sources(data_folder(tmp_path / name, written, [{"text": "x"}]))
        kept.append({text.text.lower() for text in found.held_back})
    assert kept[0] == kept[1]


def test_of_every_kind_of_written_text_some_are_held_back_and_never_train(tmp_path):
    found = read_sources(data_folder(tmp_path, [], [{"text": "x"}]))
    assert {text.source for text in found.held_back} == set(WRITTEN)
    assert not {text.text for text in found.held_back} & {text.text for text in found.train}
    counted = sum(text.source in WRITTEN for text in found.train)
    assert abs(len(found.held_back) / (len(found.held_back) + counted) - HELD_BACK) < 0.03


@pytest.mark.parametrize("split", [Split.CALIBRATION, Split.TEST])
def test_no_seed_that_calibrates_or_tests_trains(split):
    seeds = {seed.text for seed in load_seeds() if seed.split is split}
    assert seeds and not seeds & {text.text for text in own_texts()}


def test_written_texts_are_no_seeds_and_no_copies_of_each_other():
    texts = [text.text for text, _ in written_texts()]
    assert len(texts) == len(set(texts))
    assert not {seed.text for seed in load_seeds()} & set(texts)


@pytest.mark.parametrize("name", WRITTEN)
def test_written_texts_have_a_level_and_a_category_that_agrees(name):
    texts = [text for text, _ in written_texts() if text.source == name]
    assert texts
    for text in texts:
        assert text.score in range(6) and text.text.strip() == text.text
        assert (HarmCategory(text.category) is HarmCategory.NONE) == (text.score == 0)


# --- Targets ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(SOURCE_TEXTS)
def test_targets_are_probabilities_that_never_rise_with_the_level(text):
    target = soft_target(text)
    assert target.shape == (5,)
    assert (target >= 0).all() and (target <= 1).all()
    assert (np.diff(target) <= 1e-9).all()


@settings(deadline=None)
@given(st.sampled_from(OWN_SOURCES), st.integers(0, 5))
def test_the_projects_own_levels_are_likeliest_and_their_neighbours_next(source, score):
    target = soft_target(SourceText(source, "text", score=score))
    levels = -np.diff(np.concatenate([[1], target, [0]]))
    assert levels.argmax() == score and levels[score] > 0.85
    rising, falling = np.diff(levels[: score + 1]), np.diff(levels[score:])
    assert (rising > -1e-9).all() and (falling < 1e-9).all()


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_more_toxic_text_is_never_safer(toxicity, severe, more, more_severe):
    milder = SourceText("rtp-2400", "text", toxicity=min(toxicity, more), severe=min(severe, more_severe))
    worse = SourceText("rtp-2400", "text", toxicity=max(toxicity, more), severe=max(severe, more_severe))
    assert (soft_target(worse) >= soft_target(milder) - 1e-9).all()


def test_an_unknown_class_is_an_error_and_not_a_harmless_text():
    with pytest.raises(KeyError):
        soft_target(SourceText("edos", "text", label="9.9 unheard of"))


# --- Windows ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(WORDS, st.lists(WORDS, min_size=1, max_size=5), st.integers())
def test_the_labelled_text_stands_whole_in_its_window(words, around, seed):
    text, context = "MARK " + " ".join(words), [" ".join(piece) for piece in around]
    composed = with_context(text, context, random.Random(seed))
    assert text in composed
    assert composed.count("MARK") == 1


def test_windows_hold_their_core_whole_and_are_of_bounded_length(composer):
    for window in composer.windows(2000, seed=3):
        assert window.core in window.text
        # The last piece of context may be longer than what was left, by a little.
        assert len(window.text) <= LONGEST_CHARS + 60
        assert (window.target == soft_target(window.source)).all()
        name = category_of(window.source)
        assert window.category == (None if name is None else CATEGORIES.index(name))


def test_the_same_seed_gives_the_same_windows(composer):
    first, again, other = (composer.windows(300, seed=seed) for seed in (5, 5, 6))
    assert [window.text for window in first] == [window.text for window in again]
    assert [window.text for window in first] != [window.text for window in other]


def test_context_is_harmless():
    texts = own_texts()
    context = set(Composer(texts, {"own": 1}).context)
    assert context == {text.text for text in texts if text.score == 0}


@pytest.mark.parametrize("shares", [{"own": 1}, {"own": 1, "edos:1": 1, "edos:2": 1}])
def test_a_bucket_without_a_share_or_a_share_without_a_bucket_is_an_error(shares):
    texts = [SourceText("seeds", "text", score=1), SourceText("edos", "text", label="1.1 threats of harm")]
    with pytest.raises(ValueError, match="differ"):
        Composer(texts, shares)


def test_a_bucket_gives_all_its_texts_before_it_gives_one_again():
    texts = [SourceText("seeds", f"text {index}", score=0) for index in range(40)]
    drawn = Composer(texts, {"own": 1}).windows(80, seed=0, context_share=0)
    assert len({window.source.text for window in drawn[:40]}) == 40
    assert len({window.source.text for window in drawn[40:]}) == 40


# --- Training ---------------------------------------------------------------------------------------------------------

QUICK = AdapterSettings(rank=4, projected=8, batch_tokens=1024, warm_up=2, dropout=0, threads=1)


@pytest.fixture(scope="module")
def trained(folder):
    """A small network after a few batches of plain seeds, and the loss of each."""
    seeds = [text for text in seeds_and_chats() if text.source == "seeds"]
    composer = Composer(seeds, {"own": 1})
    network = AdaptedNetwork(folder, QUICK, seed=1)
    windows = composer.windows(900, seed=1, context_share=0)
    return network, train_network(network, windows, QUICK, folder=folder, seed=1, say=lambda _: None)


def test_training_lowers_the_loss(trained):
    losses = trained[1]
    third = len(losses) // 3
    assert np.mean(losses[-third:]) < 0.9 * np.mean(losses[:third])


def test_the_adapted_encoder_computes_what_was_trained(trained, encoder):
    network = trained[0]
    texts = [seed.text[:300] for seed in load_seeds()[:12]]
    encoded = encoder.adapted(network.adapter()).encode(texts)
    assert len(encoded) == len(texts)
    tokenizer = encoder._model.tokenizer
    for row, text in enumerate(texts):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            features = network.features(ids, torch.ones_like(ids))
            trained_logits = network(ids, torch.ones_like(ids))
        np.testing.assert_allclose(encoded.embeddings[row], features[0].numpy(), atol=2e-4)
        for linear, logits in zip(network.linear(), trained_logits, strict=True):
            given = linear.logits(encoded.embeddings[row : row + 1])
            np.testing.assert_allclose(given, logits.numpy(), atol=2e-3)


def test_training_changes_the_encoder_and_leaves_its_embeddings_alone(trained, encoder):
    adapter = trained[0].adapter()
    assert all(np.abs(up @ down).max() > 0 for down, up in adapter.low_rank.values())
    assert all(".layer." in name for name in (*adapter.low_rank, *adapter.replaced))
    text = [load_seeds()[0].text]
    plain, changed = encoder.encode(text), encoder.adapted(adapter).encode(text)
    assert np.abs(plain.embeddings[0] - changed.embeddings[0, : encoder.dimension]).max() > 1e-3


def test_before_training_an_adapter_changes_nothing(folder, encoder):
    adapter = AdaptedNetwork(folder, QUICK, seed=2).adapter()
    text = [load_seeds()[0].text]
    plain, same = encoder.encode(text), encoder.adapted(adapter).encode(text)
    np.testing.assert_allclose(plain.embeddings[0], same.embeddings[0, : encoder.dimension], atol=1e-5)


def test_one_thread_and_one_seed_give_the_same_weights(composer, folder):
    windows = composer.windows(24, seed=2)
    found = []
    for _ in range(2):
        network = AdaptedNetwork(folder, QUICK, seed=3)
        train_network(network, windows, QUICK, folder=folder, seed=3, say=lambda _: None)
        found.append(network.linear()[0].coefficients)
    np.testing.assert_array_equal(*found)


def test_words_alone_tell_seeds_apart():
    lexical = fit_lexical(own_texts())
    seeds = [seed for seed in load_seeds() if seed.split is Split.TEST]
    votes = lexical.logits(lexical_features([seed.text for seed in seeds]))
    scores = np.array([seed.score for seed in seeds])
    assert votes.shape == (len(seeds), 5)
    assert auroc(votes[scores >= 3, 2], votes[scores <= 1, 2]) > 0.7
    assert (sigmoid(votes).mean(0)[[0, 4]] @ [1, -1]) > 0


# --- Categories -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, category",
    [
        (SourceText("seeds", "t", score=4, category="privacy"), "privacy"),
        (SourceText("seeds", "t", score=0, category="none"), None),
        (SourceText("catqa", "t", category="Malware Viruses/Spyware"), "code_abuse"),
        (SourceText("catqa", "t", category="Child Abuse/Online predation"), "child_sexual_exploitation"),
        (SourceText("catqa", "t", category="Child Abuse/Neglect"), "violent_crimes"),
        (SourceText("catqa", "t", category="Physical Harm/Unsafe practices"), None),
        (SourceText("edos", "t", label="none"), None),
        (SourceText("edos", "t", label="4.1 supporting mistreatment"), "hate"),
        (SourceText("davidson", "t", votes=(3, 0, 0)), "hate"),
        (SourceText("davidson", "t", votes=(0, 3, 0)), "other"),
        (SourceText("davidson", "t", votes=(1, 1, 1)), None),
        (SourceText("advbench", "t"), None),
    ],
)
def test_a_text_has_a_category_only_where_its_source_says_it(text, category):
    assert category_of(text) == category


def test_categories_are_the_fourteen_and_other():
    assert (*HARM_CATEGORIES, "other") == CATEGORIES
    assert project_category("harassment") == "other"
    assert {project_category(category.value) for category in HarmCategory} == set(HarmCategory)
    with pytest.raises(ValueError):
        project_category("unheard of")


# --- Measures ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=20),
    st.lists(st.integers(-3, 3), min_size=1, max_size=20),
)
def test_auroc_counts_pairs(high, low):
    pairs = [(a > b) + (a == b) / 2 for a in high for b in low]
    assert auroc(np.array(high), np.array(low)) == pytest.approx(np.mean(pairs))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_macro_f1_is_the_usual_one(pairs):
    from sklearn.metrics import f1_score

    truth, said = np.array(pairs).T
    usual = f1_score(truth, said, labels=range(6), average="macro", zero_division=0)
    assert macro_f1(truth, said) == pytest.approx(usual)


def test_folds_spread_every_level():
    scores = np.repeat([0, 3, 5], [50, 20, 10])
    fold = folds(scores)
    for score in (0, 3, 5):
        counts = np.bincount(fold[scores == score], minlength=5)
        assert counts.max() - counts.min() <= 1


# --- The packaged head ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def test_seeds(encoder):
    """Scores and document logits of the seeds' test split, by the packaged head."""
    seeds = [seed for seed in load_seeds() if seed.split is Split.TEST]
    reader = DocumentReader(encoder, packaged_classifier())
    return np.array([seed.score for seed in seeds]), reader.document_logits([seed.text for seed in seeds])


def test_the_packaged_head_is_small():
    assert HEAD.stat().st_size <= 4 * 2**20


def test_the_model_card_is_of_the_packaged_head():
    card, head = HEAD.with_name("MODEL_CARD.md").read_text(encoding="utf-8"), HEAD.read_bytes()
    assert (
        f"`{packaged_classifier().version}`, {len(head):,} bytes, sha256 `{sha256(head).hexdigest()}`" in card
    )


def test_the_packaged_head_tells_unseen_seeds_apart(test_seeds):
    scores, logits = test_seeds
    assert auroc(logits[scores >= 3, 2], logits[scores <= 1, 2]) > 0.95
    assert auroc(logits[scores >= 1, 0], logits[scores == 0, 0]) > 0.9


def test_the_packaged_head_is_calm_about_harmless_seeds(test_seeds):
    scores, logits = test_seeds
    classifier = packaged_classifier()
    levels = classifier.levels(classifier.probabilities(logits))
    assert (levels[scores == 0] >= 3).mean() <= 0.05
    assert (levels[scores >= 4] >= 3).mean() >= 0.7


def test_the_packaged_head_names_every_category():
    assert packaged_classifier().categories == CATEGORIES
