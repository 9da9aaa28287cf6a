"""Rows as Parquet, a few thousand at a time; needs pyarrow, the extra `parquet`."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.outputs import records
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from explorer.batch.job import Row
    from explorer.batch.outputs import Rows

_GROUP = 4096
_FEATURES_GROUP = 512


def check_parquet() -> None:
    """Raises where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ExplorerError(
            "Parquet files need the package pyarrow.",
            "pip install 'convnet-explorer[parquet]', or choose another --format.",
        ) from error


def write_records(path: Path, rows: Rows) -> None:
    """All boxes, or the tables of all photos: words as strings, numbers as float64 or float32.

    Raises:
        ExplorerError: It cannot be written.
    """
    import pyarrow as pa

    kinds = {"width": pa.int32(), "height": pa.int32()}
    kinds |= dict.fromkeys(("x0", "y0", "x1", "y1", "score"), pa.float32())
    found = records(rows())
    first = next(found, None)
    head = first[0] if first is not None else ("photo",)
    values = first[1] if first is not None else ("",)
    schema = pa.schema([
        (name, pa.string() if isinstance(value, str) else kinds.get(name, pa.float64()))
        for name, value in zip(head, values, strict=True)
    ])  # fmt: skip
    everything = chain([first] if first is not None else [], found)
    lines = (dict(zip(columns, values, strict=True)) for columns, values in everything)
    _write(path, schema, (_line(schema, line) for line in lines), _GROUP)


def write_features(path: Path, rows: Rows) -> None:
    """`photo`, `width`, `height`, `feature` as a list of float32, and its `shape`.

    Raises:
        ExplorerError: It cannot be written.
    """
    import pyarrow as pa

    schema = pa.schema([
        ("photo", pa.string()), ("width", pa.int32()), ("height", pa.int32()),
        ("feature", pa.list_(pa.float32())), ("shape", pa.list_(pa.int32())),
    ])  # fmt: skip
    _write(path, schema, _features(rows()), _FEATURES_GROUP)


def _features(rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not row.reason:
            feature = row.arrays["feature"]
            yield {
                "photo": _text(row.name), "width": row.content["width"],
                "height": row.content["height"],
                "feature": np.ascontiguousarray(feature, np.float32).reshape(-1),
                "shape": list(feature.shape),
            }  # fmt: skip


def _line(schema: Any, values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in schema:
        value = values.get(entry.name)
        if str(entry.type) == "string":
            found[entry.name] = None if value is None else _text(str(value))
        else:
            found[entry.name] = value if isinstance(value, (int, float)) else None
    return found


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8")


def _write(path: Path, schema: Any, lines: Iterable[dict[str, Any]], size: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with replacing(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        waiting: list[dict[str, Any]] = []
        for line in lines:
            waiting.append(line)
            if len(waiting) == size:
                writer.write_table(_table(pa, schema, waiting))
                waiting = []
        if waiting:
            writer.write_table(_table(pa, schema, waiting))


def _table(pa: Any, schema: Any, lines: Sequence[dict[str, Any]]) -> Any:
    return pa.Table.from_pylist(list(lines), schema=schema)
