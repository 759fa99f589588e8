"""Which sequences a beam search evaluates, each by all its tokens."""

from __future__ import annotations

from safety_assets.decoding.causal_model import CausalModel

__all__ = ["record_paths"]


def record_paths(model: CausalModel) -> list[tuple[int, ...]]:
    """From now on every sequence that ``model`` evaluates in a beam search is added to the list, prompt first."""
    seen: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    begin, step = model.begin_beams, model.step

    def begin_beams(prompt, **room):
        model.step = step
        cache, following = begin(prompt, **room)
        seen.append(tuple(prompt))
        rows[:] = [tuple(prompt)] * room["rows"]
        reorder = cache.reorder

        def follow(parents):
            rows[:] = [rows[parent] for parent in parents]
            reorder(parents)

        cache.reorder = follow
        model.step = next_step
        return cache, following

    def next_step(ids, cache, **masks):
        rows[:] = [(*row, *new) for row, new in zip(rows, ids.tolist(), strict=True)]
        seen.extend(rows)
        return step(ids, cache, **masks)

    model.begin_beams = begin_beams
    return seen
