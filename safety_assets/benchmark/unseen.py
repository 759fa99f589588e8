"""Which labelled texts may be measured: none that the packaged head, or the lake's own classifier, was trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from safety_assets.benchmark.labels import LabelledText
from safety_assets.corpus.identity import text_hash
from safety_assets.sample_data.sample import Split, load_seeds
from safety_assets.scoring.building.sources import (
    HELD_BACK,
    LICENCES,
    OWN_SOURCES,
    seeds_and_chats,
    share,
    written_texts,
)

__all__ = ["unseen"]

# Sources that the packaged head is trained on, but for the part that is held back.
_TRAINING_SOURCES = frozenset(LICENCES) - frozenset(OWN_SOURCES)


def unseen(texts: Iterable[LabelledText], annotated: Collection[str] = ()) -> Iterator[LabelledText]:
    """The texts that no scorer of this project has learned from. The packaged head's thresholds were chosen on web pages
    that were read and labelled: what it says of those by its own thresholds is optimistic, what is fitted on folds is not.

    Of a training source only the part held back is measured, unless its texts carry levels: an oracle labelled those,
    and such texts never train. Seeds are measured on their test split.

    Args:
        annotated: hashes of annotations that a classifier was trained or calibrated on.
    """
    learned = set(annotated) | {text_hash(seed.text) for seed in load_seeds() if seed.split is not Split.TEST}
    learned |= {text_hash(text.text) for text in seeds_and_chats()}
    learned |= {text_hash(text.text) for text, written in written_texts() if share(written) >= HELD_BACK}
    for text in texts:
        trains = text.level is None and text.source in _TRAINING_SOURCES
        if text.key not in learned and not (trains and share(text.text) >= HELD_BACK):
            yield text
