"""Models with code in another repository: the pinned commit of it runs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from resources.encoder import open_encoder
from resources.errors import ModelStoreError
from resources.model_code import encoder_folder
from resources.profile import EncoderProfile
from resources.sequence_classifier import open_sequence_classifier

PINNED, NEWEST = "a" * 40, "b" * 40
CODE = {
    "configuration.py": """
from transformers import BertConfig


class OddConfig(BertConfig):
    model_type = "odd"

    def __init__(self, unpad_inputs=True, use_memory_efficient_attention=True, **others):
        super().__init__(**others)
        self.unpad_inputs = unpad_inputs
        self.use_memory_efficient_attention = use_memory_efficient_attention
""",
    "modeling.py": """
from transformers import BertForSequenceClassification, BertModel

from .configuration import OddConfig


class OddModel(BertModel):
    config_class = OddConfig


class OddForSequenceClassification(BertForSequenceClassification):
    config_class = OddConfig
""",
}
AUTO_MAP = {
    "AutoConfig": "someone/code--configuration.OddConfig",
    "AutoModel": "someone/code--modeling.OddModel",
    "AutoModelForSequenceClassification": "someone/code--modeling.OddForSequenceClassification",
}


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """A Hub cache in which the newest commit of the code is not the pinned one, and must not run."""
    repository = tmp_path / "hub" / "models--someone--code"
    for commit in (PINNED, NEWEST):
        (repository / "snapshots" / commit).mkdir(parents=True)
        for name, text in CODE.items():
            body = text if commit == PINNED else "raise SystemExit('unpinned code ran')"
            (repository / "snapshots" / commit / name).write_text(body)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(NEWEST)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return repository


def pointing_elsewhere(folder: Path) -> Path:
    """A saved model whose settings name code of another repository."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "odd", "auto_map": AUTO_MAP}))
    return folder


@pytest.fixture
def model(packaged_models, tmp_path) -> Path:
    plain = SentenceTransformer(str(packaged_models["all-MiniLM-L6-v2"].folder), device="cpu")
    plain.save_pretrained(str(tmp_path / "odd"), create_model_card=False)
    return pointing_elsewhere(tmp_path / "odd")


def trusted(folder: Path, **others) -> EncoderProfile:
    return EncoderProfile(model=str(folder), trust_remote_code=True, **({"code_revision": PINNED} | others))


def test_the_pinned_code_runs_and_is_kept_beside_the_weights(hub, model, packaged_models, tmp_path):
    encoder = open_encoder(trusted(model, plain_attention=True), tmp_path / "models")
    network = encoder.network[0].auto_model
    assert type(network).__name__ == "OddModel"
    assert not network.config.unpad_inputs and not network.config.use_memory_efficient_attention
    plain = open_encoder(EncoderProfile(model=str(packaged_models["all-MiniLM-L6-v2"].folder)), tmp_path)
    text = ["The library opens at nine."]
    assert np.abs(encoder.encode(text).embeddings - plain.encode(text).embeddings).max() < 1e-6
    assert encoder.revision.endswith(f"+{PINNED[:12]}")
    hub.rename(tmp_path / "gone")
    assert np.array_equal(
        open_encoder(trusted(model), tmp_path / "models").encode(text).embeddings,
        encoder.encode(text).embeddings,
    )


def test_a_saved_copy_of_such_a_model_brings_its_code(hub, model, tmp_path):
    encoder = open_encoder(trusted(model), tmp_path / "models")
    encoder.network.save_pretrained(str(tmp_path / "copy"), create_model_card=False)
    hub.rename(tmp_path / "gone")
    copy = open_encoder(trusted(tmp_path / "copy", code_revision=None), tmp_path / "models")
    text = ["The library opens at nine."]
    assert np.array_equal(copy.encode(text).embeddings, encoder.encode(text).embeddings)


def test_a_classifier_with_code_elsewhere_runs_the_pinned_one(hub, packaged_models, tmp_path):
    source, folder = packaged_models["all-MiniLM-L6-v2"].folder, tmp_path / "classifier"
    AutoModelForSequenceClassification.from_pretrained(source, num_labels=6).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    profile = trusted(pointing_elsewhere(folder), kind="classifier")
    classifier = open_sequence_classifier(profile, tmp_path / "models")
    assert type(classifier.network[0].auto_model).__name__ == "OddForSequenceClassification"
    assert classifier.encode(["The library opens at nine."]).embeddings.shape == (1, 6)


def test_code_without_a_commit_does_not_run(hub, model, tmp_path):
    with pytest.raises(ModelStoreError, match="code_revision"):
        open_encoder(trusted(model, code_revision=None), tmp_path / "models")
    with pytest.raises(ModelStoreError, match="could not be had"):
        open_encoder(trusted(model, code_revision="c" * 40), tmp_path / "models")


def test_code_that_is_not_trusted_is_neither_fetched_nor_run(hub, model, tmp_path):
    with pytest.raises(ModelStoreError, match="trust_remote_code"):
        open_encoder(EncoderProfile(model=str(model), code_revision=PINNED), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_links_that_lead_nowhere_are_made_again(hub, model, tmp_path):
    first = encoder_folder(trusted(model), tmp_path / "models")
    (first.folder / "model.safetensors").unlink()
    (first.folder / "model.safetensors").symlink_to(tmp_path / "nowhere")
    again = encoder_folder(trusted(model), tmp_path / "models")
    assert again == first and (first.folder / "model.safetensors").exists()
