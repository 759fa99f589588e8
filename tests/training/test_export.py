"""Checkpoints elsewhere: transformers gives the same logits, the same tokens, and one id for the tag."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from safety_assets.prompts import TAG_TOKEN
from safety_assets.rendering.pieces import Control
from safety_assets.rendering.tokenizer import open_tokenizer
from safety_assets.training.checkpoints import make_checkpoint
from safety_assets.training.errors import TrainingError
from safety_assets.training.export import export_to_hugging_face
from safety_assets.training.models import build_model, model_config
from tests.support import training_run as small


@pytest.fixture(scope="module")
def tokenizer():
    return open_tokenizer("sample-bpe-4096", cache=Path("unused"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("export")
    config = model_config(
        "micro",
        vocabulary=tokenizer.vocabulary_size,
        padded_vocabulary=tokenizer.padded_vocabulary_size,
        context=64,
    )
    torch.manual_seed(0)
    torch.save(build_model(config).state_dict(), folder / "weights.pt")
    difference = export_to_hugging_face(
        folder / "weights.pt", config, tokenizer, folder / "model", end_ids=[0, 2], pad_id=0
    )
    assert difference < 1e-4
    return folder / "model"


def test_the_tokenizer_that_comes_with_it_agrees_and_knows_the_tag(exported, tokenizer):
    theirs = AutoTokenizer.from_pretrained(exported)
    text = "A short text — with some  spaces,\n\nand 42 digits."
    assert theirs(text)["input_ids"] == tokenizer.encode_batch([text])[0].ids
    assert theirs.convert_tokens_to_ids(TAG_TOKEN) == tokenizer.control_id(Control.TAG)
    assert theirs(TAG_TOKEN)["input_ids"] == [tokenizer.control_id(Control.TAG)]


def test_the_model_ends_where_texts_and_turns_end(exported):
    model = AutoModelForCausalLM.from_pretrained(exported)
    assert model.config.eos_token_id == [0, 2]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    made = model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=4, do_sample=False)
    assert made.shape[1] <= 7


def test_other_weights_than_the_models_are_not_exported(tmp_path, tokenizer, monkeypatch):
    config = small.config()
    torch.save(build_model(config).state_dict(), tmp_path / "weights.pt")
    monkeypatch.setattr("safety_assets.training.export._difference", lambda *_: 0.5)
    with pytest.raises(TrainingError, match="logits differ"):
        export_to_hugging_face(
            tmp_path / "weights.pt", config, tokenizer, tmp_path / "model", end_ids=[0], pad_id=0
        )
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]


def test_a_finished_training_is_not_done_again(tmp_path, tokenizer):
    rows = small.windows(tmp_path / "windows.parquet")
    steps = []

    def make():
        return make_checkpoint(
            small.SETTINGS,
            small.config(),
            rows,
            None,
            tokenizer,
            tmp_path / "home",
            parent="mixture",
            has_tag=True,
            progress=lambda point, _: steps.append(point.step),
        )

    first = make()
    taken = len(steps)
    assert make() == first
    assert len(steps) == taken == first.steps
    assert json.loads(first.settings)["peak_rate"] == small.SETTINGS.peak_rate
    assert not (Path(first.folder) / "state.pt").exists()
