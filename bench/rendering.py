"""Marking and rendering: tags a core sets a second, and rendered windows against the bare tokenizer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from safety_assets.marking.reflections import ReflectedSegment, Verdict, segment_spans
from safety_assets.marking.tags import tag_positions
from safety_assets.mixtures.pack import Source, pack
from safety_assets.rendering import formats
from safety_assets.rendering.pieces import Piece
from safety_assets.rendering.renderer import Renderer
from safety_assets.rendering.tokenizer import PACKAGED_TOKENIZER, open_tokenizer
from safety_assets.sample_data.sample import DOCUMENTS

__all__ = ["bench_rendering", "bench_tagging"]

TRIES = 5
TEXT_BYTES = 8_000_000
# As many texts at once as a mixture reads, and windows of SmolLM2's length.
BATCH_TEXTS = 128
WINDOW_TOKENS = 2_049


def bench_tagging() -> dict[str, float]:
    """``mb_per_s`` of text in which one core draws the places of tags; the best of five."""
    texts = _texts(TEXT_BYTES)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6

    def tag() -> None:
        for number, text in enumerate(texts):
            tag_positions(text, key=str(number))

    return {"mb_per_s": megabytes / min(_seconds(tag) for _ in range(TRIES))}


def bench_rendering() -> dict[str, float]:
    """``ratio``: bytes a second through rendering and packing / through the bare tokenizer; the best of five each.

    Texts take turns in being plain, tagged and reflected on.
    """
    texts = _texts(TEXT_BYTES // 4)
    documents = [_pieces(number, text) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = open_tokenizer(PACKAGED_TOKENIZER, cache=Path(folder))
    renderer = Renderer(tokenizer)

    def bare() -> None:
        for start in range(0, len(texts), BATCH_TEXTS):
            tokenizer.encode_batch(texts[start : start + BATCH_TEXTS])

    def rendered() -> None:
        sources = (
            (Source("bench", "000_00000", str(number), ""), text)
            for start in range(0, len(documents), BATCH_TEXTS)
            for number, text in enumerate(renderer.render(documents[start : start + BATCH_TEXTS]))
        )
        for _ in pack(sources, WINDOW_TOKENS):
            pass

    # One after the other, so that a busy machine slows both.
    pairs = [(_seconds(bare), _seconds(rendered)) for _ in range(TRIES)]
    return {"ratio": min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)}


def _texts(size: int) -> list[str]:
    """The sample documents, over and over, as much as ``size`` bytes."""
    sample = [
        json.loads(line)["text"]
        for path in sorted(DOCUMENTS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]
    return sample * -(-size // sum(len(text.encode()) for text in sample))


def _pieces(number: int, text: str) -> list[Piece]:
    if number % 3 == 1:
        return formats.tagged(text, tag_positions(text, key=str(number)).tolist())
    if number % 3 == 2:
        segments = [ReflectedSegment(start, end, Verdict.SAFE) for start, end in segment_spans(text)]
        return formats.reflected(text, segments)
    return formats.plain(text)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
