"""The numbers behind a board as JSON, CSV or npz, by the suffix of the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Table
from explorer.core.storage.atomic import write_bytes
from explorer.saving.plain_values import column_names, plain

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

DATA_SUFFIXES = (".json", ".csv", ".npz")


def save_data(
    path: str | os.PathLike[str],
    data: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes arrays, tables and plain values by name in the format of the suffix, atomically.

    - JSON: one object. Arrays are nested lists, tables lists of objects. NaN and infinities become
      null, and an entry "notes" says how many.
    - CSV: tables as they are; one-dimensional arrays of one length become the columns of a table,
      two-dimensional ones too (name_0, name_1 …). Several tables are separated by an empty line,
      with their name in a line of its own. What has no rows (a number, a cube) is only in JSON and
      npz.
    - npz: every array under its name, a table's columns as "table.column"; numpy reads it without
      pickles.

    `metadata` goes along under the key "metadata" (in CSV it has no place).

    Raises:
        ExplorerError: When the suffix is not one of those, or the file cannot be written.
    """
    kind = data_suffix(path)
    if kind == ".json":
        content = as_json(data, metadata)
    elif kind == ".csv":
        content = as_csv(data)
    else:
        content = as_npz(data, metadata)
    write_bytes(path, content)


def data_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of `path` when data can be written so.

    Raises:
        ExplorerError: When it is none of `DATA_SUFFIXES`; the sentence names them.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in DATA_SUFFIXES:
        raise ExplorerError(
            f"{Path(path).name} has no supported data suffix.",
            f"Choose among: {', '.join(DATA_SUFFIXES)}.",
        )
    return suffix


def as_json(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> bytes:
    """See `save_data`."""
    found = plain(data)
    content: dict[str, Any] = dict(found.value)
    if found.not_finite:
        numbers = "1 number was" if found.not_finite == 1 else f"{found.not_finite} numbers were"
        content["notes"] = [*_listed(content.get("notes")), f"{numbers} not finite: null here."]
    if metadata is not None:
        content["metadata"] = plain(metadata).value
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode(
        "utf-8", "replace"
    )


def as_csv(data: Mapping[str, Any]) -> bytes:
    """See `save_data`."""
    tables = _tables(data)
    if not tables:
        raise ExplorerError("This data has no table.", "Save it as .json or .npz.")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for number, (name, header, rows) in enumerate(tables):
        if len(tables) > 1:
            if number:
                text.write("\n")
            writer.writerow([name])
        writer.writerow(header)
        writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def as_npz(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> bytes:
    """See `save_data`."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in data.items():
        _collect(arrays, str(name), value)
    if metadata is not None:
        arrays["metadata"] = np.array(json.dumps(plain(metadata).value))
    buffer = io.BytesIO()
    # A key is a file name inside the archive, and "file" is the name of savez's own argument.
    safe = {name.replace("/", "_"): array for name, array in arrays.items()}
    if "file" in safe:
        safe["file_"] = safe.pop("file")
    np.savez_compressed(buffer, **safe)  # type: ignore[arg-type]
    return buffer.getvalue()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _tables(data: Mapping[str, Any]) -> list[tuple[str, list[str], list[Sequence[Any]]]]:
    """Name, header and rows of every table that the data holds."""
    tables: list[tuple[str, list[str], list[Sequence[Any]]]] = []
    columns: dict[int, list[tuple[str, list[Any]]]] = {}
    for name, value in data.items():
        if isinstance(value, Table):
            tables.append((value.title or str(name), column_names(value), list(value.rows)))
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            header = list(dict.fromkeys(str(key) for row in value for key in row))
            rows = [[_cell(row.get(key)) for key in header] for row in value]
            tables.append((str(name), header, list(rows)))
        else:
            for title, column in _columns(str(name), value):
                columns.setdefault(len(column), []).append((title, column))
    for group in columns.values():
        header = [title for title, _ in group]
        rows = [list(cells) for cells in zip(*(column for _, column in group), strict=True)]
        tables.append((header[0], header, list(rows)))
    return tables


def _columns(name: str, value: Any) -> list[tuple[str, list[Any]]]:
    if isinstance(value, (list, tuple)):
        if any(isinstance(entry, (list, tuple, Mapping, np.ndarray)) for entry in value):
            return []
        return [(name, [_cell(entry) for entry in value])]
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return [(name, value.tolist())]
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return [(f"{name}_{n}", value[:, n].tolist()) for n in range(value.shape[1])]
    return []


def _cell(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _collect(arrays: dict[str, NDArray[Any]], name: str, value: Any) -> None:
    if isinstance(value, Table):
        for number, column in enumerate(column_names(value)):
            arrays[f"{name}.{column}"] = _array([row[number] for row in value.rows])
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _collect(arrays, f"{name}.{key}", entry)
    else:
        arrays[name] = _array(value)


def _array(value: Any) -> NDArray[Any]:
    """An array that needs no pickle: what is no number is text, what is ragged is JSON."""
    try:
        array = np.asarray(value)
    except ValueError:
        return np.array(json.dumps(plain(value).value))
    if array.dtype.kind not in "biufcSU":
        flat = plain(value).value
        if isinstance(flat, list) and not any(isinstance(entry, (list, dict)) for entry in flat):
            return np.array([str(entry) for entry in flat])
        return np.array(json.dumps(flat))
    return array
