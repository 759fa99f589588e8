"""A released classifier: its own logits window by window, and nothing that only looks like a classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from resources.encoder import open_encoder
from resources.encoder_adapter import EncoderAdapter
from resources.errors import ModelStoreError
from resources.profile import EncoderProfile, safety_home
from resources.sequence_classifier import open_sequence_classifier

SENTENCES = (
    "The library opens at nine.",
    "Rain fell on fifty-one days between June and September, and the harvest was poor.",
    "Café, naïve, Straße — and 東京 too.",
)


def saved_classifier(source: Path, folder: Path, labels: int) -> Path:
    """A folder as released classifiers have it: a BERT with a head, and its tokenizer."""
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=labels)
    with torch.no_grad():
        model.classifier.weight.mul_(20)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(packaged_models, tmp_path_factory) -> Path:
    return saved_classifier(packaged_models["all-MiniLM-L6-v2"].folder, tmp_path_factory.mktemp("model"), 6)


@pytest.fixture(scope="module")
def classifier(folder):
    return open_sequence_classifier(EncoderProfile(model=str(folder), kind="classifier"), folder)


@pytest.fixture(scope="module")
def plain(folder):
    """Logits as transformers gives them, of texts that fit one window."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def logits(texts):
        with torch.inference_mode():
            return model(**tokenizer(list(texts), padding=True, return_tensors="pt")).logits.numpy()

    return logits


def test_features_are_the_models_own_logits(classifier, plain):
    encoded = classifier.encode(SENTENCES)
    assert encoded.embeddings.shape == (3, 6) and classifier.dimension == 6
    assert np.abs(encoded.embeddings - plain(SENTENCES)).max() < 1e-4
    assert np.ptp(encoded.embeddings) > 0.1


def test_each_window_of_a_long_text_is_read_as_if_it_were_alone(classifier, plain):
    text = " ".join(SENTENCES[:2] * 60)
    encoded = classifier.encode([SENTENCES[2], text])
    assert encoded.document.tolist()[:2] == [0, 1] and len(encoded) > 3
    assert encoded.tokens.max() <= 510
    assert np.abs(encoded.embeddings - plain(encoded.texts([SENTENCES[2], text]))).max() < 1e-4


def test_windows_are_cut_as_an_encoder_of_the_same_tokenizer_cuts_them(classifier, packaged_models):
    encoder = open_encoder(EncoderProfile(model="package:all-MiniLM-L6-v2"), safety_home() / "models")
    text = " ".join(SENTENCES * 30)
    mine, theirs = (model.encode([text], max_tokens=100) for model in (classifier, encoder))
    assert mine.char_start.tolist() == theirs.char_start.tolist()
    assert mine.char_end.tolist() == theirs.char_end.tolist()


def test_special_tokens_in_a_page_are_plain_words(classifier):
    assert classifier.encode(["[SEP]"]).tokens.tolist() != [1]


def test_a_head_of_other_classes_is_refused(packaged_models, tmp_path):
    two = saved_classifier(packaged_models["all-MiniLM-L6-v2"].folder, tmp_path / "two", 2)
    with pytest.raises(ModelStoreError, match="no classifier of 6"):
        open_sequence_classifier(EncoderProfile(model=str(two), kind="classifier"), tmp_path)


def test_an_encoder_without_a_head_gets_no_random_one(packaged_models, tmp_path):
    headless = str(packaged_models["all-MiniLM-L6-v2"].folder)
    with pytest.raises(ModelStoreError, match="no classifier of 6"):
        open_sequence_classifier(EncoderProfile(model=headless, kind="classifier"), tmp_path)


def test_a_folder_without_a_model_is_named_with_the_remedy(tmp_path):
    with pytest.raises(ModelStoreError, match=r"config\.json"):
        open_sequence_classifier(EncoderProfile(model=str(tmp_path), kind="classifier"), tmp_path)


def test_it_takes_no_adapter(classifier):
    adapter = EncoderAdapter({}, {}, np.zeros((1, 6), np.float32), np.zeros(1, np.float32))
    with pytest.raises(ModelStoreError, match="no adapter"):
        classifier.adapted(adapter)
