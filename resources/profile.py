"""Profiles: one YAML file says which models, device, lake and batch sizes a deployment uses.

``SAFETY_PROFILE`` names a packaged profile or a path to one; ``SAFETY_HOME`` is the folder for everything that
is made (lake, models, report cards). Values in the file may use ``${NAME}`` or ``${NAME:-default}`` for settings
from the environment. Secrets are never in a profile; each names the environment variable that holds its secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from resources.errors import ProfileError

__all__ = [
    "DEFAULT_PROFILE",
    "EncoderProfile",
    "EncoderTraining",
    "EvaluationProfile",
    "GeneralCorpus",
    "GenerationProfile",
    "LakeProfile",
    "LanguageModelProfile",
    "MarkingProfile",
    "MixtureProfile",
    "PretrainingProfile",
    "Profile",
    "ScoringProfile",
    "SourceProfile",
    "TuningProfile",
    "load_profile",
    "safety_home",
]

PACKAGED = Path(__file__).parent / "profiles"
PRESETS = Path(__file__).parent / "encoder_presets.yaml"
DEFAULT_PROFILE = "embedded"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeProfile(_Strict):
    catalog: str = Field(description="sqlite:PATH or postgres:CONNECTION STRING (password from PGPASSWORD).")
    data_path: str = Field(description="Folder or object-store URL for the Parquet files.")
    memory_limit: str = "1GB"


class SourceProfile(_Strict):
    source: str = Field(default="sample", description="sample, a folder, hf://datasets/… or any fsspec URL.")
    revision: str | None = Field(default=None, description="Branch, tag or commit of a Hub data set.")
    max_shards: int | None = Field(default=None, description="Only the first so many shards of the source.")


class EncoderTraining(_Strict):
    """How the whole encoder is trained on annotations (SP appendix B); the head alone is trained first, for an epoch."""

    epochs: int = Field(
        default=5, ge=0, description="Most epochs of the whole encoder; 0 trains the head alone."
    )
    patience: int = Field(
        default=2, ge=1, description="Epochs without a better held-out loss before it stops."
    )
    batch_size: int = Field(default=8, ge=1, description="Documents of a step.")
    head_rate: float = Field(default=1e-3, gt=0, description="Learning rate of the head alone.")
    encoder_rate: float = Field(default=1e-6, gt=0, description="Learning rate of the whole encoder.")
    positive_weight: float = Field(
        default=100.0, gt=0, description="Loss weight of examples with score > 0 (paper: lambda)."
    )
    window_tokens: int = Field(
        default=512, ge=1, description="Tokens of a window, at most what the encoder reads."
    )
    clip: float = Field(default=1.0, gt=0, description="Largest norm of a step's gradient.")
    autocast: bool = Field(default=False, description="Matrix products in bfloat16; weights stay float32.")
    seed: int = 0


class EncoderProfile(_Strict):
    preset: str | None = Field(
        default=None, description="A name in encoder_presets.yaml; settings given beside it come first."
    )
    model: str = Field(description="package:all-MiniLM-L6-v2, a local folder, or a Hub id.")
    kind: Literal["embedding", "classifier"] = Field(
        default="embedding", description="classifier: a released model with its own six-way head."
    )
    revision: str | None = Field(default=None, description="Commit of a Hub id; required for one.")
    code_revision: str | None = Field(
        default=None, description="Commit of the other repository that holds a Hub model's code."
    )
    device: str = "cpu"
    batch_tokens: int = Field(default=4096, description="Padded tokens of one encoder batch.")
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = Field(
        default="float32",
        description="auto: bfloat16 on a GPU, and in matrix products on a CPU with units for it; else float32.",
    )
    query_prefix: str = Field(default="", description="Put before every text, as some encoders expect.")
    trust_remote_code: bool = False
    plain_attention: bool = Field(
        default=False, description="Do without the xformers package, which some remote code asks for."
    )
    training: EncoderTraining = EncoderTraining()

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not given.get("preset"):
            return given
        presets = _presets()
        if given["preset"] not in presets:
            raise ValueError(f"unknown preset; there are {', '.join(presets)}")
        preset, training = presets[given["preset"]], given.get("training") or {}
        if isinstance(training, EncoderTraining):
            training = training.model_dump(exclude_unset=True)
        return {**preset, **given, "training": {**preset["training"], **training}}


class LanguageModelProfile(_Strict):
    backend: Literal["transformers", "openai", "vllm"] = Field(
        description="In this process; a server at base_url; or a vLLM server started and stopped here."
    )
    model: str = Field(
        description="package:SmolLM2-135M-Instruct, a local folder, a Hub id, or the served name."
    )
    revision: str | None = None
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "bfloat16"
    batch_size: int = Field(default=32, description="Sequences decoded together in this process.")
    batch_tokens: int = Field(default=8192, description="Padded prompt tokens of one scoring batch.")
    base_url: str | None = Field(default=None, description="http://127.0.0.1:8000/v1 for openai.")
    api_key_env: str = Field(
        default="OPENAI_API_KEY", description="Environment variable with the server's key."
    )
    concurrency: int = Field(default=32, description="Requests under way at once.")
    timeout_s: float = 120.0
    transport_retries: int = 5
    supports_prefix: bool = Field(
        default=True, description="The server can continue a begun answer (vLLM can)."
    )
    context_tokens: int = Field(default=8192, description="For a server that does not tell.")
    venv: str = Field(default=".venv-vllm", description="Environment of the vLLM that is started here.")
    server_arguments: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _server_has_url(self) -> LanguageModelProfile:
        if self.backend == "openai" and not self.base_url:
            raise ValueError("backend openai needs base_url")
        return self


class ScoringProfile(_Strict):
    training: Literal["packaged", "head", "encoder", "released"] | None = Field(
        default=None,
        description="What safety_classifier is: packaged as it is; its head, or the whole encoder, trained on the "
        "annotations; a released classifier as it is. Not set: released where the encoder is one, else head.",
    )
    llm_mode: Literal["choices", "json"] = Field(
        default="choices",
        description="Read the score from log-probabilities, or generate JSON as in the paper.",
    )
    llm_max_chars: int = Field(
        default=1_200, description="Characters of a document that the LLM scorer sees."
    )
    positive_weight: float = Field(
        default=1.5, description="Loss weight of examples with score > 0 (paper: lambda)."
    )
    ensemble: Literal["maximum", "calibrated"] = Field(
        default="maximum",
        description="The higher of both scores (SP section 3.1), or a combination calibrated on the annotations.",
    )
    recall_target: float | None = Field(
        default=None, gt=0, le=1, description="Of level 3 and above, on the annotations; sets that threshold."
    )
    explain: bool = Field(default=True, description="Generate a reason for documents that score 1 or more.")

    @model_validator(mode="after")
    def _calibrated_needs_probabilities(self) -> ScoringProfile:
        if self.ensemble == "calibrated" and self.llm_mode != "choices":
            raise ValueError("ensemble calibrated needs llm_mode choices")
        return self


class AuditProfile(_Strict):
    judge: str = Field(
        default="labels",
        description="labels (packaged and annotated ones), oracle (the language model), or a .jsonl file of labels.",
    )
    per_stratum: int = Field(default=20, gt=0, description="Documents of each score and source at most.")
    seed: int = 0
    precision_floor: float = Field(
        default=0.5, ge=0, le=1, description="Of levels 4-5; RefuseWeb is not made of scores below it."
    )
    least_judged: int = Field(
        default=10, ge=1, description="Documents scored 4-5 that must be judged for the floor to count."
    )


class GenerationProfile(_Strict):
    chunk: int = Field(default=32, description="Requests committed to the lake together.")
    attempts: int = Field(default=3, description="Answers asked for before a passage is given up.")
    passage_words: int = Field(default=80, description="Words of a source passage rewritten in one request.")
    passage_tokens: int = Field(default=64, description="New tokens for one passage.")
    max_passages: int = Field(
        default=8, description="Documents with more passages are held back as too long."
    )
    guided: bool = Field(
        default=True, description="Short prompts with openings given in advance, for weak models."
    )
    temperature: float = 0.4
    top_p: float = 0.9


class MarkingProfile(_Strict):
    tag_rate: float = Field(
        default=0.05, ge=0, le=1, description="Probability of the tag before a word (SP section 4)."
    )
    tag_seed: int = 0
    segment_words: int = Field(
        default=100, ge=1, description="Words of a segment that gets a reflection (SRP section 4)."
    )


class GeneralCorpus(_Strict):
    source: str = Field(description="A folder, hf://datasets/… or any fsspec URL, as for the main source.")
    share: float = Field(gt=0, lt=1, description="Of every recipe's token budget.")


class MixtureProfile(_Strict):
    tokenizer: str = Field(
        default="sample-bpe-4096", description="The packaged small one, package:NAME, a folder, or a Hub id."
    )
    tokenizer_revision: str | None = None
    tokens: int = Field(default=500_000, description="Token budget of every recipe.")
    context: int = Field(default=256, description="Tokens a model sees at once; a window has one more.")
    seed: int = 0
    validation_share: float = Field(default=0.08, description="Share of source documents held out.")
    validation_windows: int = Field(default=24, description="Most windows of held-out safe text.")
    interventions_start: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the budget that is raw web text before a recipe begins.",
    )
    max_epochs: int = Field(default=40, description="How often a slice may be repeated to fill its budget.")
    recipes: str | None = Field(default=None, description="A recipes.yaml of one's own.")
    general: dict[str, GeneralCorpus] = Field(
        default_factory=dict, description="General corpora by name: FineWeb-Edu, code, mathematics …"
    )


class PretrainingProfile(_Strict):
    model: str = Field(
        default="micro", description="micro, mini, SmolLM2-135M, SmolLM2-360M or SmolLM2-1.7B."
    )
    micro_batch: int = 4
    accumulation: int = 1
    peak_rate: float | None = Field(
        default=None, description="Peak learning rate; the model's own if not set."
    )
    warmup_share: float = 0.05
    decay_share: float = 0.2
    precision: Literal["32-true", "bf16-mixed", "bf16-true"] = "32-true"
    devices: int = 1
    strategy: str = "auto"
    compile: bool = False
    seed: int = 0
    save_every_steps: int = 50


class TuningProfile(_Strict):
    chats: tuple[str, ...] = Field(
        default=("packaged",), description="Chat data: packaged, or JSONL/Parquet files and Hub data sets."
    )
    problems: tuple[str, ...] = Field(
        default=("packaged",), description="Data of benign finetuning: packaged, or GSM8K-style files."
    )
    tagged_share: float = Field(
        default=0.1, description="Share of tagged completions in tuning a tag recipe (SP section 5)."
    )
    epochs: int = 3
    finetuning_epochs: int = 2
    micro_batch: int = 8
    accumulation: int = 1
    peak_rate: float = 1e-3
    finetuning_rate: float = 5e-4
    save_every_steps: int = 50


class EvaluationProfile(_Strict):
    completions: str = Field(
        default="packaged", description="Prompts for base models: packaged or a CSV/JSONL."
    )
    requests: str = Field(default="packaged", description="Harmful requests: packaged or a CSV/JSONL.")
    benign: str = Field(default="packaged", description="Harmless requests that sound harmful.")
    max_prompts: int | None = Field(default=None, description="The first so many prompts of each set.")
    decoding: Literal["greedy", "top_k", "beam"] = "greedy"
    max_new_tokens: int = 40
    top_k: int = 50
    temperature: float = 1.0
    beams: int = Field(default=3, description="k of Safe Beam Search (SP algorithm 1).")
    candidates: int = Field(default=3, description="N of Safe Beam Search.")
    judges: tuple[Literal["refusal_prefix", "classifier", "llm"], ...] = ("refusal_prefix", "classifier")
    deciding_judge: Literal["refusal-prefix", "classifier", "language-model"] = Field(
        default="classifier", description="The judge whose verdicts the ablation table shows."
    )
    tasks: tuple[str, ...] = Field(default=("everyday_knowledge",), description="lm-eval tasks.")
    tasks_folder: str | None = Field(default=None, description="Folder with the data of other tasks.")
    task_limit: int | None = None
    device: str = "cpu"


class Profile(_Strict):
    """Everything a deployment chooses. One file, one object."""

    name: str
    lake: LakeProfile
    source: SourceProfile = SourceProfile()
    encoder: EncoderProfile
    language_model: LanguageModelProfile
    scoring: ScoringProfile = ScoringProfile()
    audit: AuditProfile = AuditProfile()
    generation: GenerationProfile = GenerationProfile()
    marking: MarkingProfile = MarkingProfile()
    mixture: MixtureProfile = MixtureProfile()
    pretraining: PretrainingProfile = PretrainingProfile()
    tuning: TuningProfile = TuningProfile()
    evaluation: EvaluationProfile = EvaluationProfile()

    @property
    def classifier_training(self) -> Literal["packaged", "head", "encoder", "released"]:
        """``scoring.training``, or what follows from the encoder where it is not set."""
        return self.scoring.training or ("released" if self.encoder.kind == "classifier" else "head")

    @model_validator(mode="after")
    def _encoder_fits_training(self) -> Profile:
        if (self.encoder.kind == "classifier") != (self.classifier_training == "released"):
            raise ValueError(
                "scoring.training released and encoder.kind classifier go together: a released classifier is used as "
                "it is, and an embedding has no classes of its own"
            )
        return self


def safety_home() -> Path:
    """Folder of everything the pipeline makes: ``SAFETY_HOME``, else ``.safety`` beside the project's files."""
    root = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("SAFETY_HOME") or root / ".safety").expanduser().resolve()


def load_profile(name_or_path: str | None = None) -> Profile:
    """Read a profile; None takes ``SAFETY_PROFILE``, else ``embedded``.

    Raises:
        ProfileError: unknown name, unreadable file, or settings that do not fit, every one listed.
    """
    chosen = name_or_path or os.environ.get("SAFETY_PROFILE") or DEFAULT_PROFILE
    path = Path(chosen) if chosen.endswith((".yaml", ".yml")) else PACKAGED / f"{chosen}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in PACKAGED.glob("*.yaml")))
        raise ProfileError(
            f"Unknown profile {chosen!r}: set SAFETY_PROFILE to one of {known}, or to a YAML file."
        )
    try:
        settings = yaml.safe_load(_expand(path.read_text(encoding="utf-8"), path.name))
        return Profile.model_validate(settings)
    except yaml.YAMLError as error:
        raise ProfileError(f"Profile {path.name} is not valid YAML: {error}.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ProfileError(f"Profile {path.name} does not fit: {faults}.") from error


@lru_cache(maxsize=1)
def _presets() -> Mapping[str, dict[str, Any]]:
    return yaml.safe_load(PRESETS.read_text(encoding="utf-8"))["presets"]


def _expand(text: str, where: str) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}``; comments are left alone by YAML anyway."""

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        found = str(safety_home()) if name == "SAFETY_HOME" else os.environ.get(name)
        if not found and default is None:
            raise ProfileError(
                f"Profile {where} needs the environment variable {name}: set it and start again."
            )
        return found or default

    return re.sub(r"\$\{(?P<name>[A-Z0-9_]+)(?::-(?P<default>[^}]*))?\}", value, text)
