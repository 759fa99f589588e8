"""Models whose code lies in another repository: that code is pinned as the weights are, and kept beside them.

transformers fetches such code from whatever commit is the newest unless told otherwise, and sentence-transformers does
not pass on what it is told. A folder with the weights and the pinned code loads without asking anyone.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from resources.errors import ModelStoreError
from resources.model_store import LocalModel, resolve_model
from resources.profile import EncoderProfile

__all__ = ["encoder_folder"]


def encoder_folder(profile: EncoderProfile, models_cache: Path) -> LocalModel:
    """The model of a profile in a folder that has its code, if it has code of its own and may run it.

    Raises:
        ModelStoreError: the model or its code cannot be had, or no commit of the code was given.
    """
    local = resolve_model(profile.model, cache=models_cache, revision=profile.revision)
    config = json.loads((local.folder / "config.json").read_text(encoding="utf-8"))
    references = config.get("auto_map") or {}
    elsewhere = {ref.split("--")[0] for ref in references.values() if isinstance(ref, str) and "--" in ref}
    if not elsewhere or not profile.trust_remote_code:
        return local
    if len(elsewhere) > 1 or not profile.code_revision:
        raise ModelStoreError(
            f"The model {profile.model} runs code of {', '.join(sorted(elsewhere))}: set code_revision to the commit to "
            "pin, or choose a preset that does."
        )
    version = f"{local.revision}+{profile.code_revision[:12]}"
    folder = models_cache / f"{local.name.replace('/', '--')}-{version}"
    # What is linked may have been cleared away with the Hub's cache.
    if not folder.is_dir() or not all(path.exists() for path in folder.iterdir()):
        code = _code(elsewhere.pop(), profile.code_revision)
        here = {
            name: ref.split("--")[-1] if isinstance(ref, str) else ref for name, ref in references.items()
        }
        _compose(local.folder, code, {**config, "auto_map": here}, folder)
    return LocalModel(local.name, folder, version)


def _code(repository: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                endpoint=os.environ.get("HF_ENDPOINT"),
                allow_patterns=["*.py"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelStoreError(
            f"The code {repository} at {revision} could not be had ({type(error).__name__}): check code_revision, "
            "HF_TOKEN and the network (HF_HUB_OFFLINE must not be 1)."
        ) from error


def _compose(weights: Path, code: Path, config: dict, folder: Path) -> None:
    """Links to the files of a model, copies of its code and its changed settings, in one folder renamed into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".code-", dir=folder.parent))
    try:
        for file in weights.iterdir():
            if file.name != "config.json" and file.suffix != ".py":
                (beside / file.name).symlink_to(file.resolve())
        for file in code.glob("*.py"):
            shutil.copy(file, beside / file.name)
        (beside / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except OSError as error:
        if not (folder / "config.json").is_file():  # another process was not quicker
            raise ModelStoreError(
                f"The model could not be prepared in {folder.parent}: {error.strerror or error}. Free some space there."
            ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
