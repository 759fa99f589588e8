"""How to decode, and what comes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from resources.errors import ResourceError

__all__ = ["Decoded", "Decoding", "DecodingError", "Strategy"]


class DecodingError(ResourceError):
    """Settings or a model that cannot be decoded with."""


class Strategy(StrEnum):
    """The ways to decode."""

    GREEDY = "greedy"
    TOP_K = "top_k"
    BEAM = "beam"
    SAFE_BEAM = "safe_beam"


@dataclass(frozen=True)
class Decoding:
    """Settings of a decoding.

    Attributes:
        beams: k of the beam searches.
        candidates: N of Safe Beam Search: next tokens that are looked at for each beam.
        top_k, temperature, seed: of sampling; the draw depends on the prompt and the seed, not on the batch.
        length_penalty: answers of the beam searches are compared by log-probability / length ** length_penalty; 0
            compares probabilities.
        batch: prompts that greedy and top-k decode together.
    """

    strategy: Strategy = Strategy.GREEDY
    max_new_tokens: int = 64
    beams: int = 4
    candidates: int = 4
    top_k: int = 50
    temperature: float = 1.0
    seed: int = 0
    length_penalty: float = 1.0
    batch: int = 16

    def __post_init__(self) -> None:
        if self.strategy not in set(Strategy):
            raise DecodingError(
                f"There is no decoding {self.strategy!r}: choose one of {', '.join(Strategy)}."
            )
        object.__setattr__(self, "strategy", Strategy(self.strategy))  # a plain string would match no branch
        if min(self.max_new_tokens, self.beams, self.candidates, self.top_k, self.batch) < 1:
            raise DecodingError("max_new_tokens, beams, candidates, top_k and batch must each be 1 or more.")
        if self.strategy is Strategy.TOP_K and self.temperature <= 0:
            raise DecodingError("Sampling needs a temperature above 0: use greedy for 0.")
        if self.strategy is Strategy.SAFE_BEAM and self.candidates < 2:
            raise DecodingError("Safe Beam Search drops half of its candidates: give 2 or more.")

    def shaping(self) -> dict[str, Any]:
        """The settings that shape an answer under this strategy, as plain values: for the key of a kept answer."""
        used = {
            Strategy.GREEDY: (),
            Strategy.TOP_K: ("top_k", "temperature", "seed"),
            Strategy.BEAM: ("beams", "length_penalty"),
            Strategy.SAFE_BEAM: ("beams", "candidates", "length_penalty"),
        }[self.strategy]
        values = asdict(self)
        return {
            "strategy": self.strategy.value,
            "max_new_tokens": self.max_new_tokens,
            **{name: values[name] for name in used},
        }


@dataclass(frozen=True)
class Decoded:
    """One answer.

    Attributes:
        token_ids: new tokens without the one that ended it.
        log_probability: of all new tokens, the ending one included.
        finish: ``stop`` where the model ended, ``length`` where the limit did.
        tag_mass: highest probability that the harmfulness tag had at any place where a token was chosen, 0 to 1;
            None for a model without the tag.
    """

    token_ids: tuple[int, ...]
    log_probability: float
    finish: str
    tag_mass: float | None = None
