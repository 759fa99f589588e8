"""Beams: what plain beam search and Safe Beam Search share, and the plain one.

Beams that end are set aside, and the best of all is the answer. Importing this module imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from safety_assets.decoding.causal_model import CausalModel
from safety_assets.decoding.ranking import likeliest
from safety_assets.decoding.settings import Decoded, Decoding

__all__ = ["Beam", "Grown", "beam_search", "best_first", "best_of", "grow", "last_tokens", "worth_finishing"]


@dataclass(frozen=True)
class Beam:
    """New tokens of one hypothesis, its cumulative log-probability, and the tag's highest probability on the way."""

    tokens: tuple[int, ...] = ()
    log_probability: float = 0.0
    tag_mass: float = 0.0


@dataclass(frozen=True)
class Grown:
    """Beams one token on.

    Attributes:
        open: beams that go on.
        parents: for each of them the place of the beam it comes from.
        ended: beams whose next token is an end, without it; its log-probability counts.
    """

    open: list[Beam]
    parents: list[int]
    ended: list[Beam]


def beam_search(model: CausalModel, prompt: Sequence[int], decoding: Decoding) -> Decoded:
    """The best of ``beams`` beams; one forward pass of so many sequences a step.

    The search is over when as many beams have ended; at the limit, where open beams are answers as well.
    """
    rows = min(decoding.beams, model.vocabulary - len(model.end_ids))
    cache, following = model.begin_beams(prompt, rows=rows, new_tokens=decoding.max_new_tokens)
    beams, finished = [Beam()], []
    for step in range(decoding.max_new_tokens):
        grown = grow(model, beams, following, each=decoding.beams)
        chosen = best_first(grown.open)[:rows]
        finished += worth_finishing(grown.ended, grown.open, decoding.beams)
        beams = [grown.open[place] for place in chosen]
        if step + 1 < decoding.max_new_tokens:
            if len(finished) >= decoding.beams:
                return best_of((), finished, model, decoding)
            cache.reorder([grown.parents[place] for place in chosen])
            following = model.step(last_tokens(model, beams), cache)
    return best_of(beams, finished, model, decoding)


def grow(
    model: CausalModel,
    beams: Sequence[Beam],
    following: torch.Tensor,
    *,
    each: int,
    without_tag: bool = False,
) -> Grown:
    """Extend each beam by its ``each`` likeliest tokens.

    An end among them is replaced by the next likeliest token, so that ``each`` beams go on from every one.

    Args:
        following: log-probabilities (beams, vocabulary) of what comes after each beam.
        without_tag: the tag is no candidate.
    """
    tags = [0.0] * len(beams)
    if model.tag_id is not None:
        tags = following[:, model.tag_id].exp().tolist()
        if without_tag:
            following = following.clone()
            following[:, model.tag_id] = -torch.inf
    known = model.vocabulary - without_tag
    values, tokens = likeliest(following, min(each + len(model.end_ids), known))
    grown = Grown([], [], [])
    for place, (beam, own_values, own_tokens) in enumerate(
        zip(beams, values.tolist(), tokens.tolist(), strict=True)
    ):
        left = each
        for rank, (value, token) in enumerate(zip(own_values, own_tokens, strict=True)):
            total, tag_mass = beam.log_probability + value, max(beam.tag_mass, tags[place])
            if token in model.end_ids:
                if rank < each:
                    grown.ended.append(Beam(beam.tokens, total, tag_mass))
            elif left:
                left -= 1
                grown.open.append(Beam((*beam.tokens, token), total, tag_mass))
                grown.parents.append(place)
    return grown


def best_first(beams: Sequence[Beam]) -> list[int]:
    """Places by falling log-probability; equals keep their order."""
    return sorted(range(len(beams)), key=lambda place: -beams[place].log_probability)


def worth_finishing(ended: Sequence[Beam], others: Sequence[Beam], beams: int) -> list[Beam]:
    """Ended beams that rank among the ``beams`` best of all: an unlikely ending ends nothing."""
    best = set(best_first([*ended, *others])[:beams])
    return [beam for place, beam in enumerate(ended) if place in best]


def best_of(
    beams: Sequence[Beam], finished: Sequence[Beam], model: CausalModel, decoding: Decoding
) -> Decoded:
    """The answer: the best beam by log-probability and length; the end token counts to the length.

    Args:
        beams: open at the limit; none where the search was over before.
    """

    def merit(entry: tuple[Beam, bool]) -> float:
        beam, ended = entry
        return beam.log_probability / (len(beam.tokens) + ended) ** decoding.length_penalty

    beam, ended = max([*((beam, True) for beam in finished), *((beam, False) for beam in beams)], key=merit)
    tag_mass = None if model.tag_id is None else beam.tag_mass
    return Decoded(beam.tokens, beam.log_probability, "stop" if ended else "length", tag_mass)


def last_tokens(model: CausalModel, beams: Sequence[Beam]) -> torch.Tensor:
    """The newest token of each beam, (beams, 1)."""
    return torch.tensor([[beam.tokens[-1]] for beam in beams], device=model.device)
