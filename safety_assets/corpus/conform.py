"""Casts columns of any type to the columns of a document, and says which rows would not be cast.

Whole columns are cast at once. Only where that fails is a column gone through row by row, so that one bad row
costs its batch some time and no other row its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as pt

from safety_assets.corpus.schema import RejectReason

__all__ = ["Rejections", "conform_column", "conform_text", "conform_values", "holds_text"]

# Row in the batch -> reason.
Rejections = dict[int, RejectReason]


def holds_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings or bytes, possibly in a dictionary."""
    if pt.is_dictionary(kind):
        kind = kind.value_type
    kinds = (pt.is_string, pt.is_large_string, pt.is_string_view, pt.is_binary, pt.is_large_binary)
    return any(is_kind(kind) for is_kind in (*kinds, pt.is_binary_view, pt.is_fixed_size_binary))


def conform_text(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Rejections]:
    """:func:`conform_column` for the text itself: a number is no text, though it could be written as one."""
    if holds_text(column.type) or pt.is_null(column.type):
        return conform_column(column, field)
    rejected = {row: RejectReason.WRONG_TYPE for row in range(len(column)) if column[row].is_valid}
    return pa.nulls(len(column), field.type), rejected


def conform_column(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Rejections]:
    """Cast a column, its invalid UTF-8 found and cut out.

    Args:
        column: any type; strings may hold bytes that are not UTF-8, as Parquet readers do not look.
        field: the wanted column.

    Returns:
        The column in the field's type, null in each rejected row; and the rejected rows.
    """
    try:
        return _cast(column, field.type), {}
    except pa.ArrowException:
        pass
    cells, rejected = [], {}
    for row, missing in enumerate(column.is_null().to_pylist()):
        if missing:
            cells.append(pa.nulls(1, field.type))
            continue
        try:
            cells.append(_cast(column.slice(row, 1), field.type))
        except pa.ArrowException:
            cells.append(pa.nulls(1, field.type))
            bytes_to_text = holds_text(column.type) and holds_text(field.type)
            rejected[row] = RejectReason.INVALID_UNICODE if bytes_to_text else RejectReason.WRONG_TYPE
    return pa.concat_arrays(cells), rejected


def conform_values(values: Sequence[object], field: pa.Field) -> tuple[pa.Array, Rejections]:
    """:func:`conform_column` for what came out of JSON, types mixed as they may be."""
    # Numbers must be inferred and then cast: building int64 from 3.5 directly would drop the half unseen.
    kind = field.type if holds_text(field.type) else None
    try:
        return conform_column(pa.array(values, kind), field)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        pass
    cells, rejected = [], {}
    for row, value in enumerate(values):
        try:
            cells.append(_cast(pa.array([value]), field.type))
        except UnicodeEncodeError:
            rejected[row] = RejectReason.INVALID_UNICODE
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            rejected[row] = RejectReason.WRONG_TYPE
        if row in rejected:
            cells.append(pa.nulls(1, field.type))
    return pa.concat_arrays(cells), rejected


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type != kind:
        column = column.cast(kind)
    column.validate(full=True)
    return column
