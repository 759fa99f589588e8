"""From a profile to a language model: the one place that knows all the backends."""

from __future__ import annotations

from pathlib import Path

from resources.language_model import LanguageModel
from resources.model_store import LocalModel, resolve_model
from resources.profile import LanguageModelProfile

__all__ = ["open_language_model"]


def open_language_model(profile: LanguageModelProfile, *, models_cache: Path) -> LanguageModel:
    """The model that the profile names. Weights load and servers start with the first prompt.

    Args:
        profile: which backend and model, and their settings.
        models_cache: folder of prepared packaged models; a started server's log goes to ``logs`` in it.

    Raises:
        ModelStoreError: the weights are not where the profile says.
        LanguageModelError: later, by the model's methods, when it cannot be used.
    """
    if profile.backend == "openai":
        return _client(profile, profile.model, str(profile.base_url), profile.revision)
    local = resolve_model(profile.model, cache=models_cache, revision=profile.revision)
    if profile.backend == "vllm":
        return _served(profile, local, models_cache / "logs" / f"vllm-{local.name.replace('/', '--')}.log")
    from resources.transformers_model import TransformersModel

    return TransformersModel(
        local,
        device=profile.device,
        dtype=profile.dtype,
        batch_size=profile.batch_size,
        batch_tokens=profile.batch_tokens,
    )


def _client(
    profile: LanguageModelProfile, model: str, base_url: str, revision: str | None, *, key: bool = True
):
    from resources.openai_model import OpenAIModel
    from resources.openai_transport import OpenAITransport

    transport = OpenAITransport(
        base_url,
        api_key_env=profile.api_key_env if key else None,
        timeout_s=profile.timeout_s,
        retries=profile.transport_retries,
    )
    return OpenAIModel(
        model,
        transport,
        revision=revision,
        concurrency=profile.concurrency,
        supports_prefix=profile.supports_prefix,
        context_tokens=profile.context_tokens,
    )


def _served(profile: LanguageModelProfile, local: LocalModel, log: Path) -> LanguageModel:
    from resources.vllm_model import VllmModel
    from resources.vllm_server import VllmServer

    def start():
        server = VllmServer(
            local, venv=profile.venv, dtype=profile.dtype, arguments=profile.server_arguments, log=log
        )
        # No key of another server is shown to this one.
        return server, _client(profile, local.name, server.base_url, local.revision, key=False)

    return VllmModel(local, start)
