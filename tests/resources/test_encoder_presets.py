"""Presets: one name chooses an encoder with all that it needs; what is set beside the name comes first."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from resources.encoder import loading_arguments
from resources.encoders import named_encoder
from resources.profile import EncoderProfile, EncoderTraining, Profile, _presets, load_profile

PRESETS = sorted(_presets())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_an_encoder_with_its_weights_pinned(name):
    profile = EncoderProfile(preset=name)
    assert hash(profile) == hash(EncoderProfile(preset=name))
    assert profile.model.startswith("package:") or profile.revision
    if profile.kind == "embedding" and not profile.model.startswith("package:"):
        assert re.fullmatch(r"[0-9a-f]{40}", profile.revision or "")
    assert bool(profile.query_prefix) == ("e5" in name)
    # The code of these models runs here: it is pinned as the weights are.
    if "gte" in name:
        assert profile.trust_remote_code
        assert re.fullmatch(r"[0-9a-f]{40}", profile.code_revision or "")


def test_the_papers_settings_are_those_of_large_and_small_encoders():
    large = EncoderProfile(preset="gte-large-en-v1.5").training
    small = EncoderProfile(preset="multilingual-e5-small").training
    assert (large.head_rate, large.encoder_rate, large.epochs, large.batch_size) == (1e-3, 1e-6, 5, 8)
    assert large.positive_weight == 100
    assert (small.head_rate, small.encoder_rate, small.epochs, small.batch_size) == (1e-3, 1e-5, 50, 8)


def test_what_is_set_beside_a_preset_comes_first():
    chosen = EncoderProfile(
        preset="gte-large-en-v1.5", device="cuda", dtype="float16", training={"epochs": 1}
    )
    plain = EncoderProfile(preset="gte-large-en-v1.5")
    assert (chosen.device, chosen.dtype, chosen.training.epochs) == ("cuda", "float16", 1)
    assert chosen.training == plain.training.model_copy(update={"epochs": 1})
    assert (chosen.model, chosen.revision) == (plain.model, plain.revision)
    given = EncoderProfile(preset="gte-large-en-v1.5", training=EncoderTraining(seed=7))
    assert given.training == plain.training.model_copy(update={"seed": 7})


def test_an_unknown_preset_is_answered_with_those_there_are():
    with pytest.raises(ValidationError, match=r"gte-large-en-v1\.5"):
        EncoderProfile(preset="gte-enormous")


def test_settings_of_a_preset_reach_the_library():
    assert loading_arguments(EncoderProfile(preset="gte-large-en-v1.5"))["trust_remote_code"]
    assert not loading_arguments(EncoderProfile(preset="multilingual-e5-base"))["trust_remote_code"]
    arctic = loading_arguments(EncoderProfile(preset="arctic-embed-m-v2.0"))
    assert arctic["config_kwargs"] == {"use_memory_efficient_attention": False, "unpad_inputs": False}


def test_a_profile_file_chooses_a_preset_with_one_setting(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nlake: {catalog: 'sqlite:x', data_path: y}\nencoder: {preset: multilingual-e5-base}\n"
        "language_model: {backend: transformers, model: package:SmolLM2-135M-Instruct}\n"
    )
    assert load_profile(str(file)).encoder.query_prefix == "query: "


def changed(profile: Profile, encoder: dict, scoring: dict) -> Profile:
    return Profile.model_validate({**profile.model_dump(), "encoder": encoder, "scoring": scoring})


def test_what_is_trained_follows_from_the_encoder_and_must_fit_it():
    embedded = load_profile("embedded")
    released, encoder = {"preset": "safety-classifier-gte-large"}, {"preset": "all-MiniLM-L6-v2"}
    assert embedded.classifier_training == "head"
    assert changed(embedded, released, {}).classifier_training == "released"
    assert changed(embedded, encoder, {"training": "encoder"}).classifier_training == "encoder"
    for model, training in ((released, "encoder"), (released, "packaged"), (encoder, "released")):
        with pytest.raises(ValidationError, match="go together"):
            changed(embedded, model, {"training": training})


def test_a_trained_encoder_is_found_by_its_name_and_only_from_its_own_base(tmp_path):
    profile = EncoderProfile(preset="gte-base-en-v1.5", device="cuda")
    name = "Alibaba-NLP--gte-base-en-v1.5-0123456789ab"
    assert named_encoder(profile, name, tmp_path) == profile
    (tmp_path / name).mkdir()
    found = named_encoder(profile, name, tmp_path)
    assert (found.model, found.revision) == (str(tmp_path / name), None)
    assert (found.device, found.trust_remote_code) == ("cuda", True)
    assert named_encoder(EncoderProfile(preset="arctic-embed-m"), name, tmp_path).model.startswith(
        "Snowflake"
    )
    assert named_encoder(profile, f"../{tmp_path.name}/{name}", tmp_path) == profile
    assert named_encoder(profile, "Alibaba-NLP/gte-base-en-v1.5", tmp_path) == profile


def test_reading_presets_imports_no_model_library():
    code = (
        "import sys, resources.profile as p; p.EncoderProfile(preset='gte-base-en-v1.5'); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sentence_transformers", "huggingface_hub"} & set(
        found.stdout.split()
    )
