"""Safe Beam Search against plain beam search with the same k: time per step, and what is evaluated."""

from __future__ import annotations

import time

import torch
from transformers import AutoModelForCausalLM

from resources.model_resources import models_cache
from resources.model_store import resolve_model
from safety_assets.decoding.causal_model import CausalModel
from safety_assets.decoding.decode import decode
from safety_assets.decoding.settings import Decoding, Strategy
from tests.support.evaluated_paths import record_paths

__all__ = ["decoding"]

BEAMS, CANDIDATES = 4, 4
PROMPT_TOKENS, STEPS, TRIES = 128, 16, 3


def decoding() -> dict[str, float]:
    """Figures of Safe Beam Search with SmolLM2-135M; time does not depend on which token stands for the tag.

    ``ratio`` is its time per step as a multiple of N times that of plain beam search; ``forwards_per_step``;
    ``sequences_per_step`` as a multiple of k x N; ``evaluated_twice`` counts sequences.
    """
    folder = resolve_model("package:SmolLM2-135M-Instruct", cache=models_cache()).folder
    weights = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    # Without ends both searches take all their steps.
    model = CausalModel(weights, end_ids=frozenset(), tag_id=17, context=2048)
    draw = torch.Generator().manual_seed(0)
    prompt = torch.randint(100, 40_000, (PROMPT_TOKENS,), generator=draw).tolist()
    plain, safe = (
        {steps: _settings(strategy, steps) for steps in (1, 1 + STEPS)}
        for strategy in (Strategy.BEAM, Strategy.SAFE_BEAM)
    )
    times: dict[str, list[float]] = {"plain": [], "safe": []}
    for _ in range(TRIES):
        for name, settings in (("plain", plain), ("safe", safe)):
            # The prompt, and what comes with the first step, cancels out.
            short, long = (_seconds(model, prompt, settings[steps]) for steps in (1, 1 + STEPS))
            times[name].append((long - short) / STEPS)
    best = {name: min(tries) for name, tries in times.items()}
    model.forwards = model.sequences = 0
    seen = record_paths(model)
    decode(model, [prompt], _settings(Strategy.SAFE_BEAM, STEPS))
    return {
        "plain_s_per_step": best["plain"],
        "safe_s_per_step": best["safe"],
        "ratio": best["safe"] / (CANDIDATES * best["plain"]),
        "forwards_per_step": (model.forwards - 1) / STEPS,
        "sequences_per_step": (model.sequences - 1) / STEPS / (BEAMS * CANDIDATES),
        "evaluated_twice": len(seen) - len(set(seen)),
    }


def _settings(strategy: Strategy, steps: int) -> Decoding:
    return Decoding(strategy, max_new_tokens=steps, beams=BEAMS, candidates=CANDIDATES)


def _seconds(model: CausalModel, prompt: list[int], settings: Decoding) -> float:
    started = time.perf_counter()
    decode(model, [prompt], settings)
    return time.perf_counter() - started
