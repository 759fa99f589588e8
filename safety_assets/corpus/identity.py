"""What identifies a text and a document: the hash of the one, the id of the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["SeenIds", "document_ids", "text_hash", "text_hashes"]

# FineWeb's ids have 47 characters.
MAX_ID_CHARS = 256
# RE2: no control, format, private or surrogate characters and no white space, since ids are shown in logs.
_USABLE_ID = r"^[^\pC\pZ]+$"


def text_hash(text: str | bytes) -> str:
    """SHA-256 of a text's UTF-8 form, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def text_hashes(texts: pa.Array) -> list[str | None]:
    """:func:`text_hash` of each text in a (large) binary array; None for null."""
    return [None if text is None else text_hash(text) for text in texts.to_pylist()]


def document_ids(
    ids: pa.Array, hashes: Sequence[str | None], shard: str, row_numbers: Sequence[int]
) -> list[str]:
    """The id of each row: its own where it is usable, else one made from the text, else from the row's place.

    An id is usable if it has 1 to 256 characters, none of them white space or a control character. Ids made
    from texts are the same wherever the same text comes again.

    Args:
        ids: (rows,) string, nulls allowed.
        hashes: (rows,) hash of the row's text, None where there is none.
        shard: key of the shard.
        row_numbers: (rows,) place in the shard.
    """
    short = pc.less_equal(pc.utf8_length(ids), MAX_ID_CHARS)
    usable = pc.fill_null(pc.and_(short, pc.match_substring_regex(ids, _USABLE_ID)), False)
    found = ids.to_pylist()
    for row in pc.indices_nonzero(pc.invert(usable)).to_pylist():
        known = hashes[row]
        found[row] = f"text-{known[:32]}" if known is not None else f"{shard}#{row_numbers[row]}"
    return found


class SeenIds:
    """The ids of a shard so far, as 16-byte digests: about 100 bytes of memory each, of any length."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def add(self, document_id: str) -> bool:
        """Note an id. Returns whether it is new."""
        before = len(self._digests)
        self._digests.add(hashlib.blake2b(document_id.encode(), digest_size=16).digest())
        return len(self._digests) > before
