"""Safe Beam Search, algorithm 1 of SP section 4.1.

Each step evaluates k x N candidates in one forward pass. That look-ahead gives each candidate the probability that the
harmfulness tag comes next, and for those that survive it is the next step's forward pass as well. Importing this module
imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence

from safety_assets.decoding.beams import Beam, Grown, best_first, best_of, grow, last_tokens, worth_finishing
from safety_assets.decoding.causal_model import CausalModel
from safety_assets.decoding.settings import Decoded, Decoding, DecodingError

__all__ = ["safe_beam_search"]


def safe_beam_search(model: CausalModel, prompt: Sequence[int], decoding: Decoding) -> Decoded:
    """Of k x N candidates the half most likely to be followed by the tag is dropped, and the k likeliest of the rest survive.

    The tag itself is no candidate. The first step has one beam, which then gives all candidates. Nothing follows a
    beam that ended, so it is not looked at; it is set aside if it ranks among the k likeliest of the safe half and
    of those that ended with it. The last token is looked at like every other. Peak memory is the cache of k x N sequences.

    Raises:
        DecodingError: the model has no harmfulness tag.
    """
    if model.tag_id is None:
        raise DecodingError(
            "Safe Beam Search asks how likely the harmfulness tag is, and this model does not have it: use a checkpoint "
            "of a recipe with tags (plus_harmfulness_tags), or another decoding."
        )
    # As many go on at every step, so that the cache keeps its shape; fewer only with a tiny vocabulary.
    usable = model.vocabulary - len(model.end_ids | {model.tag_id})
    rows = min(decoding.beams * decoding.candidates, usable)
    cache, following = model.begin_beams(prompt, rows=rows, new_tokens=decoding.max_new_tokens)
    beams, survivors, finished = [Beam()], [0], []
    for step in range(decoding.max_new_tokens):
        each = -(-rows // len(beams))
        grown = _cut(grow(model, beams, following, each=each, without_tag=True), rows)
        cache.reorder([survivors[parent] for parent in grown.parents])
        looked = model.step(last_tokens(model, grown.open), cache)
        tags = looked[:, model.tag_id].tolist()
        safe = _safer_half(tags, grown.open)
        finished += worth_finishing(grown.ended, [grown.open[place] for place in safe], decoding.beams)
        if len(finished) >= decoding.beams and step + 1 < decoding.max_new_tokens:
            return best_of((), finished, model, decoding)
        likely = best_first([grown.open[place] for place in safe])[: decoding.beams]
        survivors = [safe[place] for place in likely]
        beams, following = [grown.open[place] for place in survivors], looked[survivors]
    return best_of(beams, finished, model, decoding)


def _safer_half(tags: Sequence[float], candidates: Sequence[Beam]) -> list[int]:
    """Places, ascending, of the half (rounded up) with the least of the tag; of equals the likelier is safer."""
    order = sorted(range(len(tags)), key=lambda place: (tags[place], -candidates[place].log_probability))
    return sorted(order[: -(-len(order) // 2)])


def _cut(grown: Grown, rows: int) -> Grown:
    """The ``rows`` likeliest of the beams that go on, in their order; the beams may not divide the rows evenly."""
    kept = sorted(best_first(grown.open)[:rows])
    return Grown([grown.open[place] for place in kept], [grown.parents[place] for place in kept], grown.ended)
