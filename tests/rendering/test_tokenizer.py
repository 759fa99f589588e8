"""One tokenizer for everything: literal text, single control tokens, and files that transformers reads alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from resources.errors import ModelStoreError
from safety_assets.prompts import TAG_TOKEN
from safety_assets.rendering.pieces import Control
from safety_assets.rendering.sample_tokenizer import VOCABULARY, train_sample_tokenizer
from safety_assets.rendering.tokenizer import (
    PACKAGED_FILE,
    TOKENS,
    TextTokenizer,
    TokenizerError,
    open_tokenizer,
)
from tests.rendering.texts import any_text, spelled, written


@given(written | spelled)
def test_decoding_gives_the_text_back(tokenizer, text):
    (encoding,) = tokenizer.encode_batch([text])
    assert tokenizer.decode(encoding.ids) == text


@given(any_text)
def test_the_packaged_tokenizer_loses_nothing_at_all(sample_tokenizer, text):
    (encoding,) = sample_tokenizer.encode_batch([text])
    assert sample_tokenizer.decode(encoding.ids) == text


@given(spelled)
def test_spelled_out_control_tokens_stay_text(tokenizer, text):
    control = {tokenizer.control_id(control) for control in Control}
    (encoding,) = tokenizer.encode_batch([text])
    assert not control & set(encoding.ids)


def test_control_tokens_are_single_different_ids_within_the_vocabulary(tokenizer):
    ids = [tokenizer.control_id(control) for control in Control]
    assert len(set(ids)) == len(Control)
    assert all(0 <= index < tokenizer.vocabulary_size for index in ids)
    assert [tokenizer.decode([index]) for index in ids] == [TOKENS[control] for control in Control]


def test_sizes(sample_tokenizer, smollm_tokenizer):
    assert sample_tokenizer.vocabulary_size == sample_tokenizer.padded_vocabulary_size == VOCABULARY == 4_096
    # The tag takes the id after SmolLM2's last.
    assert smollm_tokenizer.control_id(Control.TAG) == 49_152
    assert smollm_tokenizer.vocabulary_size == 49_153
    assert smollm_tokenizer.padded_vocabulary_size == 49_216


def test_digits_stand_alone(tokenizer):
    (encoding,) = tokenizer.encode_batch(["1984"])
    assert len(encoding.ids) == 4


def test_the_packaged_tokenizer_is_made_of_the_sample_corpus_and_nothing_else():
    assert train_sample_tokenizer() == PACKAGED_FILE.read_text(encoding="utf-8")


def test_saved_files_give_transformers_the_same_ids(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Two lines\n\nand 42 of them.  Né!\t😀"
    assert loaded(text, add_special_tokens=False).input_ids == tokenizer.encode_batch([text])[0].ids
    assert loaded(TAG_TOKEN, add_special_tokens=False).input_ids == [tokenizer.control_id(Control.TAG)]
    assert loaded.eos_token_id == loaded.pad_token_id == tokenizer.control_id(Control.END_OF_TEXT)
    assert len(loaded) == tokenizer.vocabulary_size


def test_saved_files_open_as_the_same_tokenizer(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    again = open_tokenizer(str(tmp_path), cache=tmp_path)
    assert again.digest == tokenizer.digest
    assert [again.control_id(c) for c in Control] == [tokenizer.control_id(c) for c in Control]


def test_tokenizers_have_different_digests(sample_tokenizer, smollm_tokenizer):
    assert sample_tokenizer.digest != smollm_tokenizer.digest


def test_a_tag_that_a_vocabulary_holds_as_usual_text_becomes_special(tmp_path):
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_str(PACKAGED_FILE.read_text(encoding="utf-8"))
    held = json.loads(tokenizer.to_str())
    for token in held["added_tokens"]:
        token["special"] = token["content"] != TAG_TOKEN
    tokenizer = Tokenizer.from_str(json.dumps(held))
    tokenizer.add_tokens([AddedToken("ordinary")])
    made = TextTokenizer(tokenizer, "made")
    assert made.control_id(Control.TAG) not in made.encode_batch([TAG_TOKEN])[0].ids


def test_a_tokenizer_that_makes_control_tokens_of_text_is_refused():
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({TAG_TOKEN: 0, "?": 1}, unk_token="?"))
    with pytest.raises(TokenizerError, match="spells them out"):
        TextTokenizer(tokenizer, "words")


def test_a_vocabulary_beyond_sixteen_bits_is_refused():
    from tokenizers import Tokenizer, models

    vocabulary = {f"w{number}": number for number in range((1 << 16) - len(Control) + 1)}
    with pytest.raises(TokenizerError, match="at most 65536"):
        TextTokenizer(Tokenizer(models.WordLevel(vocabulary, unk_token="w0")), "large")


def test_a_folder_without_a_usable_tokenizer_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TokenizerError, match="has no tokenizer"):
        open_tokenizer(str(tmp_path), cache=tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match="cannot be read"):
        open_tokenizer(str(tmp_path), cache=tmp_path)
    with pytest.raises(ModelStoreError):
        open_tokenizer("package:nothing", cache=tmp_path)
