"""A workbook read in a process of its own: `python -P workbook.py`, a request on stdin, an answer on stdout.

A hostile workbook of a few kilobytes can ask for gigabytes, and native code cannot be interrupted; a
process can be limited and ended. What a sheet is to a pipeline belongs in excel.py; nothing of
dq_pipelines is imported here, so that the process starts quickly.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_ERRORS = {"Div0": "#DIV/0!", "NA": "#N/A", "Name": "#NAME?", "Null": "#NULL!", "Num": "#NUM!", "Ref": "#REF!",
           "Value": "#VALUE!", "GettingData": "#GETTING_DATA"}  # fmt: skip
#: Rows of a batch on disk.
_BATCH = 65_536
_numbers = itertools.count()


def main() -> None:
    request = json.load(sys.stdin)
    _limit(request["memory"])
    sys.meta_path.insert(0, _WithoutPandas())
    import fastexcel

    try:
        answer = _answer(request)
    except fastexcel.FastExcelError as error:
        answer = {"error": str(error).split("\nContext:")[0]}
    json.dump(answer, sys.stdout)


class _WithoutPandas:
    """Pyarrow imports pandas where it is installed, which takes a second, and here never uses it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    reader = _open(request["path"])
    names = list(reader.sheet_names)
    if request["sheet"] is None:
        return {"names": names}
    wanted = _wanted(names, request["sheet"])
    return {"names": names, "sheets": [found for name in wanted for found in _sheet(reader, name, request)]}


def _open(path: str) -> Any:
    import fastexcel

    try:
        return fastexcel.read_excel(path)
    except fastexcel.CalamineError as error:
        # By path the format is taken from the name; from bytes it is taken from what is there. Many an
        # `.xls` of an old system is something else.
        try:
            return fastexcel.read_excel(Path(path).read_bytes())
        except fastexcel.CalamineError:
            raise error from None


def _wanted(names: list[str], sheet: str | int) -> list[str]:
    if sheet == "all":
        return names
    if isinstance(sheet, int):
        return names[sheet : sheet + 1]
    return [sheet] if sheet in names else []


def _sheet(reader: Any, name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The sheet's file of record batches and what is in it; nothing when the sheet is empty."""
    import pyarrow as pa

    first, last, left, right = request["range"] or (0, None, 0, None)
    guess = first + (1 if request["header_row"] == "auto" else int(request["header_row"]))
    # Fastexcel parses the whole sheet for each call, without the interpreter's lock: while one gives every
    # cell as text, and errors beside it, another gives the types, if the rows begin where they mostly do.
    with ThreadPoolExecutor(1) as pool:
        types = pool.submit(_load, _open(request["path"]), name, guess, set()) if request["large"] else None
        sheet = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    picked = [
        (place, column.absolute_index)
        for place, column in enumerate(sheet.available_columns())
        if column.absolute_index >= left and (right is None or column.absolute_index <= right)
    ]
    text, errors = _as_text(sheet)
    del sheet
    text = text.slice(0, None if last is None else last + 1).select([place for place, _ in picked])
    full = _rows_with_something(text)
    header = _header(full, first, request["header_row"])
    start = first if header is None else header + 1
    rows = full[full >= start]
    if header is None and not len(rows):
        return []
    names = _names(picked, None if header is None else [column[header].as_py() for column in text.columns])
    typed = text
    if len(rows):
        ready = types is not None and start == guess and not types.exception()
        typed = types.result() if types and ready else _typed(reader, name, start, set(errors))
    del types
    columns = {}
    for number, (label, (place, absolute)) in enumerate(zip(names, picked, strict=True)):
        cells = text.column(number).take(pa.array(rows))
        if label is None and cells.null_count == len(cells):
            continue  # no header and no cell: only formatted
        if len(rows) and place not in errors:
            exact = typed.column(place)
            if not pa.types.is_duration(exact.type) and not pa.types.is_null(exact.type):
                cells = exact.take(pa.array(rows - start))
        columns[label or f"column_{absolute + 1}"] = cells
    columns["_row"] = pa.array(rows + 1, pa.int64())
    path = Path(request["folder"]) / f"{next(_numbers):06}.arrow"
    table = pa.table(columns)
    with pa.ipc.new_file(path, table.schema) as out:
        out.write_table(table, max_chunksize=_BATCH)
    return [{"name": name, "path": str(path), "height": table.num_rows}]


def _as_text(sheet: Any) -> tuple[Any, set[int]]:
    """All cells as text, an error cell as Excel shows it, and the columns that have one."""
    import pyarrow as pa

    batch, found = sheet.to_arrow_with_errors()
    cells: dict[int, dict[int, str]] = {}
    for error in found.errors if found else ():
        row, place = error.position
        cells.setdefault(place, {})[row] = _shown(error.detail)
    table = pa.Table.from_batches([batch])
    for place, shown_at in cells.items():
        values = table.column(place).to_pylist()
        for row, shown in shown_at.items():
            values[row] = shown
        table = table.set_column(place, table.column_names[place], pa.array(values, pa.string()))
    return table, set(cells)


def _shown(detail: str) -> str:
    """`Expected string but got 'Error(Div0)'` or `… 'DurationIso("PT10H")'` as the cell shows it."""
    cell = re.search(r"'(\w+)\(\"?(.*?)\"?\)'$", detail)
    if cell is None:
        return detail
    return _ERRORS.get(cell.group(2), f"#{cell.group(2)}") if cell.group(1) == "Error" else cell.group(2)


def _rows_with_something(text: Any) -> Any:
    """Numbers of the rows, from 0, that have a cell which is not empty."""
    import numpy as np

    full = np.zeros(text.num_rows, dtype=bool)
    for column in text.columns:
        full |= column.is_valid().to_numpy()
    return np.flatnonzero(full)


def _header(full: Any, first: int, wanted: Any) -> int | None:
    """The header's row from 0: the given one, from 1 and counted in the range, or the first that is not empty."""
    if wanted == 0:
        return None
    if wanted == "auto":
        below = full[full >= first]
        return int(below[0]) if len(below) else None
    row = first + int(wanted) - 1
    return row if len(full) and row <= full[-1] else None


def _names(picked: list[tuple[int, int]], header: list[str | None] | None) -> list[str | None]:
    """The header's cells, a repeated one numbered; None where a column has no name."""
    if header is None:
        return [f"column_{absolute + 1}" for _, absolute in picked]
    names: list[str | None] = []
    for cell in header:
        name, number = (cell or "").strip() or None, 2
        while name is not None and name in names:
            name, number = f"{(cell or '').strip()}_{number}", number + 1
        names.append(name)
    return names


def _load(reader: Any, name: str, start: int, as_text: set[int]) -> Any:
    """The rows from `start` with a type for each column: its cells' own, text where they differ."""
    import pyarrow as pa

    kinds = dict.fromkeys(sorted(as_text), "string")
    sheet = reader.load_sheet(name, header_row=None, skip_rows=start, schema_sample_rows=None, dtypes=kinds)
    return pa.Table.from_batches([sheet.to_arrow_with_errors()[0]])


def _typed(reader: Any, name: str, start: int, as_text: set[int]) -> Any:
    """What `_load` gives, once enough columns are text that it gives anything."""
    import fastexcel

    while True:
        try:
            return _load(reader, name, start, as_text)
        except fastexcel.UnsupportedColumnTypeCombinationError as error:
            # Dates and durations in one column, for instance: as text nothing is lost.
            odd = re.search(r"for column __UNNAMED__(\d+)", str(error))
            if odd is None or int(odd.group(1)) in as_text:
                raise
            as_text = as_text | {int(odd.group(1))}


if __name__ == "__main__":
    main()
