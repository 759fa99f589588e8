"""The two tokenizers that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.profile import safety_home
from safety_assets.rendering.renderer import Renderer
from safety_assets.rendering.tokenizer import PACKAGED_TOKENIZER, TextTokenizer, open_tokenizer


@pytest.fixture(scope="session")
def sample_tokenizer() -> TextTokenizer:
    return open_tokenizer(PACKAGED_TOKENIZER, cache=Path("unused"))


@pytest.fixture(scope="session")
def smollm_tokenizer() -> TextTokenizer:
    return open_tokenizer("package:SmolLM2-135M-Instruct", cache=safety_home() / "models")


@pytest.fixture(scope="session", params=["sample_tokenizer", "smollm_tokenizer"])
def tokenizer(request) -> TextTokenizer:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def renderer(tokenizer) -> Renderer:
    return Renderer(tokenizer)
