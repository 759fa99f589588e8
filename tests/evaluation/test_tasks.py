"""Tasks through the real lm-eval, on a small random model and local files, offline."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest

os.environ["HF_DATASETS_OFFLINE"] = "1"

from safety_assets.evaluation.errors import TaskError
from safety_assets.evaluation.tasks import _folder, available_tasks, run_tasks, task_config

needs_lm_eval = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A random Llama of two layers that reads bytes, exported with its tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    vocabulary = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary["<|endoftext|>"] = end = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    named = dict.fromkeys(("eos_token", "bos_token", "pad_token"), "<|endoftext|>")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=end + 1,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        bos_token_id=end,
        eos_token_id=end,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def questions() -> list[dict]:
    text = (_folder() / "everyday_knowledge.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def log_likelihood(model, tokenizer, start: str, end: str) -> float:
    import torch

    first, both = tokenizer(start).input_ids, tokenizer(start + end).input_ids
    with torch.no_grad():
        found = model(torch.tensor([both])).logits[0].log_softmax(-1)
    return sum(found[at - 1, both[at]].item() for at in range(len(first), len(both)))


def test_the_packaged_questions_are_whole_and_their_answers_stand_anywhere():
    rows = questions()
    assert len(rows) >= 60
    assert len({row["question"] for row in rows}) == len(rows)
    assert all(len(set(row["choices"])) == 4 for row in rows)
    places = [sum(row["answer"] == place for row in rows) for place in range(4)]
    assert sum(places) == len(rows) and max(places) - min(places) <= 1


@needs_lm_eval
def test_the_packaged_task_agrees_with_plain_log_likelihoods(model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model).eval(),
        AutoTokenizer.from_pretrained(model),
    )
    right = 0
    for row in questions():
        start = f"Question: {row['question']}\nAnswer:"
        scores = [
            log_likelihood(plain, tokenizer, start, f" {choice}") / len(choice) for choice in row["choices"]
        ]
        right += scores.index(max(scores)) == row["answer"]
    found = run_tasks(model, ["everyday_knowledge"])["everyday_knowledge"]
    assert (found.metric, found.questions) == ("acc_norm", len(questions()))
    assert found.value == pytest.approx(right / len(questions()))
    assert found.stderr > 0


def user_folder(folder):
    """Two made-up rows of each known format."""
    (folder / "sub").mkdir()
    (folder / "mmlu" / "test").mkdir(parents=True)
    (folder / "gsm8k").mkdir()
    choice = {"query": "Question: Which one?", "choices": ["one", "two"], "gold": 0}
    pair = {"context_options": ["The cup", "The box"], "continuation": "was full.", "gold": 1}
    word = {"question": "How much is 1 and 1?", "answer": "1 and 1 is 2\n#### 2"}
    for name, row in {"sub/arc_easy": choice, "sub/piqa": choice, "sub/winogrande": pair}.items():
        (folder / f"{name}.jsonl").write_text((json.dumps(row) + "\n") * 2)
    for split in ("train", "test"):
        (folder / f"gsm8k/{split}.jsonl").write_text((json.dumps(word) + "\n") * 6)
    for subject in ("a", "b"):
        (folder / f"mmlu/test/{subject}_test.csv").write_text(
            "question,choice0,choice1,choice2,choice3,answer\nWhich?,w,x,y,z,2\n"
        )
    return folder


def test_tasks_are_available_where_their_data_are(tmp_path):
    assert available_tasks() == ["everyday_knowledge"]
    assert available_tasks(user_folder(tmp_path)) == sorted(
        ["arc_easy", "everyday_knowledge", "gsm8k", "mmlu", "piqa", "winogrande"]
    )


@needs_lm_eval
def test_gold_answer_files_of_a_users_folder_are_read(model, tmp_path):
    names = ["arc_easy", "piqa", "winogrande", "mmlu", "gsm8k"]
    found = run_tasks(model, names, data_folder=user_folder(tmp_path), limit=2)
    assert {name: (score.metric, score.questions) for name, score in found.items()} == {
        "arc_easy": ("acc_norm", 2),
        "piqa": ("acc_norm", 2),
        "winogrande": ("acc", 2),
        "mmlu": ("acc", 2),
        "gsm8k": ("exact_match", 2),
    }
    assert all(0 <= score.value <= 1 for score in found.values())


def test_missing_data_and_models_are_named(tmp_path):
    with pytest.raises(TaskError, match=r"Task piqa needs piqa.jsonl.*no folder of task data is set"):
        task_config("piqa")
    with pytest.raises(TaskError, match=r"gsm8k/train.jsonl, gsm8k/test.jsonl, not found in"):
        task_config("gsm8k", tmp_path)
    with pytest.raises(TaskError, match="known are arc_easy"):
        task_config("nothing")
    with pytest.raises(TaskError, match="export the checkpoint first"):
        run_tasks(tmp_path, ["everyday_knowledge"])
