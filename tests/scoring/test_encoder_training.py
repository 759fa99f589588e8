"""Training the whole encoder: it learns, keeps its best epoch, comes back from a crash, and heeds the worst window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resources.encoder import open_encoder
from resources.profile import EncoderProfile, EncoderTraining, safety_home
from resources.sequence_classifier import open_sequence_classifier
from safety_assets.harms import LEVELS
from safety_assets.scoring import encoder_training
from safety_assets.scoring.classifier import SafetyClassifier
from safety_assets.scoring.encoder_batches import WindowedDocuments, batches, windowed, worst_windows
from safety_assets.scoring.encoder_classifier import classifier_of_head, released_classifier
from safety_assets.scoring.encoder_network import EncoderNetwork
from safety_assets.scoring.encoder_training import train_encoder
from safety_assets.scoring.examples import Examples
from safety_assets.scoring.metrics import metrics_of
from safety_assets.scoring.reading import DocumentReader

CACHE = safety_home() / "models"


def few(examples: Examples, each: int) -> Examples:
    """The shortest few of every level and split, so that a test is quick."""
    keep = np.zeros(len(examples), bool)
    lengths = np.array([len(text) for text in examples.texts])
    for split in ("train", "calibration", "test"):
        for level in LEVELS:
            own = np.flatnonzero((examples.splits == split) & (examples.scores == level))
            keep[own[np.argsort(lengths[own], kind="stable")][:each]] = True
    return examples.part(keep)


@pytest.fixture(scope="module")
def small(packaged_models, tmp_path_factory) -> Path:
    """The first layer of the packaged encoder, as an encoder of its own."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(packaged_models["all-MiniLM-L6-v2"].folder), device="cpu")
    bert = model[0].auto_model
    bert.encoder.layer = bert.encoder.layer[:1]
    bert.config.num_hidden_layers = 1
    folder = tmp_path_factory.mktemp("base") / "one-layer"
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def profile_of(folder: Path, **training) -> EncoderProfile:
    settings = {"epochs": 2, "encoder_rate": 1e-4, "positive_weight": 2.0, "window_tokens": 64} | training
    return EncoderProfile(model=str(folder), training=EncoderTraining(**settings))


def weights_in(folder: Path) -> list[bytes]:
    return [(folder / "model.safetensors").read_bytes(), (folder / "head.npz").read_bytes()]


@pytest.fixture(scope="module")
def handful(seed_examples) -> Examples:
    return few(seed_examples, 3)


@pytest.fixture(scope="module")
def trained(small, handful, tmp_path_factory):
    return train_encoder(profile_of(small), CACHE, handful, tmp_path_factory.mktemp("trained"))


def test_it_learns_what_the_packaged_encoder_can_learn(seed_examples, classifier, tmp_path):
    examples = few(seed_examples, 8)
    settings = {"epochs": 2, "encoder_rate": 1e-4, "positive_weight": 2.0}
    profile = EncoderProfile(preset="all-MiniLM-L6-v2", training=settings)
    trained = train_encoder(profile, CACHE, examples, tmp_path)
    losses = [point.training for point in trained.curve]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.8 * losses[0]
    assert trained.curve[trained.best_epoch].held_out < trained.curve[0].held_out
    encoder = open_encoder(trained.profile(profile), CACHE)
    learned = classifier_of_head(encoder, trained.head, classifier, examples, 256)
    unseen = few(seed_examples, 20).split("test")
    assert metrics_of(DocumentReader(encoder, learned), unseen)["auroc_ge3"] > 0.85


def test_the_same_examples_and_seed_give_the_same_weights(trained, small, handful, tmp_path):
    again = train_encoder(profile_of(small), CACHE, handful, tmp_path)
    assert again.curve == trained.curve
    assert weights_in(again.folder) == weights_in(trained.folder)
    other = train_encoder(profile_of(small, seed=1), CACHE, handful, tmp_path)
    assert weights_in(other.folder) != weights_in(trained.folder)


@pytest.mark.parametrize(
    "moment", ["between epochs", "while the state is written", "while the result is written"]
)
def test_a_training_that_was_killed_goes_on_as_if_nothing_had_happened(
    moment, trained, small, handful, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    saved = torch.save

    def save_until_the_second_epoch(values, path):
        Path(path).write_bytes(b"half")
        if Path(path).name == "optimizer-2.pt":
            raise Killed
        saved(values, path)

    def stop_after_the_first_epoch(point):
        if point.epoch == 1:
            raise Killed

    progress = None
    with monkeypatch.context() as patched, pytest.raises(Killed):
        if moment == "between epochs":
            progress = stop_after_the_first_epoch
        elif moment == "while the state is written":
            patched.setattr(torch, "save", save_until_the_second_epoch)
        else:
            patched.setattr(encoder_training.np, "savez", killed)
        train_encoder(profile_of(small), CACHE, handful, tmp_path, progress)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    told = []
    resumed = train_encoder(profile_of(small), CACHE, handful, tmp_path, told.append)
    assert [point.epoch for point in told] == ([] if moment == "while the result is written" else [2])
    assert resumed.curve == trained.curve
    assert weights_in(resumed.folder) == weights_in(trained.folder)
    assert [path.name for path in tmp_path.iterdir()] == [resumed.folder.name]


def test_a_finished_training_is_not_done_again_until_something_changes(trained, small, handful):
    told = []
    again = train_encoder(profile_of(small), CACHE, handful, trained.folder.parent, told.append)
    assert again.folder == trained.folder and not told
    assert np.array_equal(again.head.coefficients, trained.head.coefficients)
    relabelled = np.where(handful.scores == 5, 4, handful.scores)
    relabelled[np.flatnonzero(handful.splits == "train")[-1]] = 5
    changed = Examples(handful.texts, relabelled, handful.categories, handful.splits, handful.seeds)
    other = train_encoder(profile_of(small, epochs=0), CACHE, changed, trained.folder.parent)
    assert other.folder != trained.folder


def test_it_stops_when_what_is_held_out_gets_worse_and_keeps_the_best_weights(small, handful, tmp_path):
    told = []
    profile = profile_of(small, epochs=9, patience=2, encoder_rate=0.3)
    trained = train_encoder(profile, CACHE, handful, tmp_path, told.append)
    assert trained.best_epoch == 0 and [point.epoch for point in told] == [0, 1, 2]
    # After epoch 0 only the head has learned.
    kept, base = (open_encoder(opened, CACHE) for opened in (trained.profile(profile), profile))
    text = ["The library opens at nine."]
    assert np.abs(kept.encode(text).embeddings - base.encode(text).embeddings).max() < 1e-6


def test_lambda_moves_scores_upwards(small, seed_examples, tmp_path):
    examples = few(seed_examples, 12)
    means = []
    for weight in (0.2, 1.0, 30.0):
        profile = profile_of(small, epochs=0, positive_weight=weight)
        trained = train_encoder(profile, CACHE, examples, tmp_path)
        features = open_encoder(profile, CACHE).encode(list(examples.split("test").texts)).embeddings
        above = torch.softmax(torch.from_numpy(trained.head.logits(features)), 1)[:, 1:].sum(1)
        means.append(float(above.mean()))
    assert means == sorted(means) and means[2] > means[0] + 0.1


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6).flatmap(
        lambda counts: st.tuples(
            st.just(counts),
            st.lists(
                st.lists(st.floats(-5, 5), min_size=6, max_size=6), min_size=sum(counts), max_size=sum(counts)
            ),
        )
    )
)
def test_the_worst_window_is_of_its_document_and_none_of_it_is_worse(drawn):
    counts, logits = drawn[0], np.array(drawn[1])
    document = np.repeat(np.arange(len(counts)), counts)
    worst = worst_windows(logits, document)
    expected = torch.softmax(torch.from_numpy(logits), 1).numpy() @ np.arange(6)
    assert document[worst].tolist() == list(range(len(counts)))
    for index, row in enumerate(worst):
        assert expected[row] >= expected[document == index].max() - 1e-9


def network_on(small: Path, documents: list[list[np.ndarray]], scores: list[int]) -> EncoderNetwork:
    """A network whose head has an opinion already."""
    encoder = open_encoder(profile_of(small), CACHE)
    first = np.cumsum([0, *map(len, documents)])
    train = WindowedDocuments([window for own in documents for window in own], first, np.array(scores))
    network = EncoderNetwork(encoder, train, profile_of(small).training)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        network._head.weight.normal_(std=0.5, generator=generator)
    return network


@pytest.mark.parametrize("score", [0, 4])
def test_a_long_document_teaches_what_its_worst_window_teaches_and_no_more(small, score):
    encoder = open_encoder(profile_of(small), CACHE)
    texts = [f"Window {name} of a page about {name}." for name in ("bread", "storms", "knives", "chess")]
    windows, _ = encoder.token_windows(texts)
    head = network_on(small, [windows], [score]).head
    likely = torch.softmax(torch.from_numpy(head.logits(encoder.encode(texts).embeddings)), 1)
    order = torch.argsort(likely @ torch.arange(6.0)).tolist()
    *milder, worst = (windows[index] for index in order)
    # Neither the first nor the last window.
    long = network_on(small, [[milder[0], worst, *milder[1:]]], [score])
    alone, other = (network_on(small, [[window]], [score]) for window in (worst, milder[0]))
    losses = [network.train_epoch(1) for network in (long, alone, other)]
    assert losses[0] == losses[1] != losses[2]
    for name, weights in long.weights.items():
        assert torch.equal(weights, alone.weights[name]), name
    assert any(not torch.equal(weights, other.weights[name]) for name, weights in long.weights.items())


def test_documents_are_cut_to_windows_and_one_without_a_token_is_left_out(small):
    encoder = open_encoder(profile_of(small), CACHE)
    texts = ["A short note.", " \n", "Rain fell on fifty-one days. " * 30]
    names = np.array(["train"] * 3, object)
    examples = Examples(texts, np.array([1, 2, 3]), names, names, np.zeros(3, bool))
    documents = windowed(encoder, examples, 32)
    assert documents.scores.tolist() == [1, 3]
    assert documents.first[:2].tolist() == [0, 1] and documents.first[-1] == len(documents.windows) > 5
    assert max(map(len, documents.windows)) <= 32


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 3), st.integers(0, 5))
def test_an_epoch_has_every_document_once(documents, size, seed, epoch):
    drawn = list(batches(documents, size, seed, epoch))
    assert sorted(np.concatenate([*drawn, np.zeros(0, int)]).tolist()) == list(range(documents))
    assert all(len(batch) == size for batch in drawn[:-1])


def test_a_document_has_the_vote_of_its_highest_window(trained, small, handful, classifier):
    encoder = open_encoder(trained.profile(profile_of(small)), CACHE)
    learned = classifier_of_head(encoder, trained.head, classifier, handful, 16)
    votes = DocumentReader(encoder, learned).votes([" ".join(handful.texts[:6])])
    assert len(votes.logits) > 3
    assert np.array_equal(votes.documents[0], votes.logits.max(0))


def test_a_released_classifier_speaks_through_its_own_classes(packaged_models, handful, classifier, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    source, folder = packaged_models["all-MiniLM-L6-v2"].folder, tmp_path / "released"
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(source, num_labels=6).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    encoder = open_sequence_classifier(EncoderProfile(model=str(folder), kind="classifier"), CACHE)
    released = released_classifier(encoder, classifier, handful, 512).identified("released")
    votes = DocumentReader(encoder, released).votes(list(handful.texts[:4]))
    likely = torch.softmax(torch.from_numpy(votes.encoded.embeddings.astype(np.float64)), 1).numpy()
    for level in LEVELS[1:]:
        odds = likely[:, level:].sum(1) / likely[:, :level].sum(1)
        assert np.abs(votes.logits[:, level - 1] - np.log(odds)).max() < 1e-3
    back = SafetyClassifier.from_bytes(released.to_bytes())
    assert back.version == released.version and back.margin == 0.0
    assert DocumentReader(encoder, back).read(list(handful.texts[:1]))[0].level is not None


def test_an_embedding_is_no_released_classifier(small, handful, classifier):
    with pytest.raises(ValueError, match=r"encoder\.kind"):
        released_classifier(open_encoder(profile_of(small), CACHE), classifier, handful, 64)


def test_a_level_without_examples_and_a_missing_split_are_named(small, handful, tmp_path):
    with pytest.raises(ValueError, match=r"level \[3\]"):
        train_encoder(profile_of(small), CACHE, handful.part(handful.scores != 3), tmp_path)
    with pytest.raises(ValueError, match="calibration"):
        train_encoder(profile_of(small), CACHE, handful.split("train"), tmp_path)


def test_products_in_bfloat16_leave_weights_in_float32(trained, small, handful, tmp_path):
    from safetensors.torch import load_file

    mixed = train_encoder(profile_of(small, autocast=True), CACHE, handful, tmp_path)
    assert mixed.curve != trained.curve
    assert mixed.curve[-1].held_out == pytest.approx(trained.curve[-1].held_out, rel=0.02)
    weights = load_file(mixed.folder / "model.safetensors").values()
    assert {weight.dtype for weight in weights if weight.is_floating_point()} == {torch.float32}


def test_a_loss_that_is_no_number_is_an_error(small, handful, tmp_path, monkeypatch):
    monkeypatch.setattr(EncoderNetwork, "loss", lambda *_: float("nan"))
    with pytest.raises(ValueError, match="epoch 0"):
        train_encoder(profile_of(small), CACHE, handful, tmp_path)
