"""The columns of documents and of rejected rows, and why a row can be rejected.

Arrow schemas only; the lake's tables follow them. How rows get into this shape is in ``conform.py`` and
``documents.py``.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

__all__ = [
    "DOCUMENT_SCHEMA",
    "FINEWEB_SCHEMA",
    "MAX_CHARS",
    "QUARANTINE_SCHEMA",
    "RejectReason",
    "UnreadableShard",
]

# Longest document that is scored and synthesised from: some 250,000 tokens, beyond any model's context.
MAX_CHARS = 1_000_000

# The columns of FineWeb's Parquet files. Text is large_string, since a batch of it may pass 2 GiB.
FINEWEB_SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file_path", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("token_count", pa.int64()),
    ]
)

# A validated document, in the order of the lake's table: FineWeb's id is the document_id. text_hash is the
# SHA-256 of the UTF-8 text, hexadecimal; row_number counts from 0, in JSON Lines it is the line's.
DOCUMENT_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("row_number", pa.int64()),
        ("document_id", pa.string()),
        ("text_hash", pa.string()),
        *(field for field in FINEWEB_SCHEMA if field.name != "id"),
    ]
)

# Says enough to find the row again, and nothing of what it says. bytes: of the text, or of the line where no
# text could be taken from it; chars: of the text, null where it is not valid Unicode.
QUARANTINE_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("row_number", pa.int64()),
        ("document_id", pa.string()),
        ("reason", pa.string()),
        ("text_hash", pa.string()),
        ("bytes", pa.int64()),
        ("chars", pa.int64()),
    ]
)


class RejectReason(StrEnum):
    """Why a row is not a document. A row with several faults has the first of them in this order."""

    # A line that is not one JSON object.
    MALFORMED_JSON = "malformed_json"
    # A value that cannot be cast to its column's type, or a text that is not text.
    WRONG_TYPE = "wrong_type"
    # Bytes that are not UTF-8, or half of a surrogate pair.
    INVALID_UNICODE = "invalid_unicode"
    NULL_TEXT = "null_text"
    # Nothing but white space.
    EMPTY_TEXT = "empty_text"
    TOO_LONG = "too_long"
    # A document with this id came earlier in the shard.
    DUPLICATE_ID = "duplicate_id"


class UnreadableShard(Exception):
    """A shard that cannot be read to its end, so that none of it may be used.

    Attributes:
        shard: its key.
        reason: what is wrong and how to mend it; holds nothing of the content.
    """

    def __init__(self, shard: str, reason: str) -> None:
        super().__init__(shard, reason)
        self.shard = shard
        self.reason = reason

    def __str__(self) -> str:
        return f"Shard {self.shard} cannot be read: {self.reason}"
