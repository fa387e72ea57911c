"""A workbook read in a process of its own: `python -P workbook.py`, a request on stdin, an answer on stdout.

A hostile workbook of a few kilobytes can ask for gigabytes, and native code cannot be interrupted; a
process can be limited and ended. Nothing of dq_pipelines is imported here, so that the process starts quickly.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

#: Rows of a batch on disk.
_BATCH = 65_536
#: Below this every integral float is that integer; beyond, its digits say more than it knows.
_INTEGRAL = 2**63
_numbers = itertools.count()


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    _limit(request["memory"], request["seconds"])
    sys.meta_path.insert(0, _WithoutPandas())
    import python_calamine

    try:
        answer = _answer(request)
    except python_calamine.CalamineError as error:
        answer = {"error": str(error)}
    except OverflowError:  # of a number with the format of a duration
        answer = {"error": "a duration of more than 999,999,999 days"}
    json.dump(answer, sys.stdout)


class _WithoutPandas:
    """Pyarrow imports pandas where it is installed, which takes a second, and here never uses it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _limit(memory: int, seconds: int) -> None:
    """End this process once it has taken so much memory, in bytes, or so many seconds of CPU."""
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return
    for kind, wanted, more in ((resource.RLIMIT_AS, memory, 0), (resource.RLIMIT_CPU, seconds, 1)):
        # Whoever has started this process may have less.
        most = resource.getrlimit(kind)[1]
        bounded = most != resource.RLIM_INFINITY
        resource.setrlimit(kind, (min(wanted, most), most) if bounded else (wanted, wanted + more))


def _sibling_module(name: str) -> Any:
    """A module of this folder, which is not on the path: it has a json.py."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    raw = _sibling_module("workbook_raw")
    book = _open(request["path"], raw)
    names = list(book.sheet_names)
    if request["sheet"] is None:
        return {"names": names}
    wanted = _wanted(names, request["sheet"])
    request["raw"] = raw
    unseen = raw.unseen(request["path"], wanted)
    written = [
        _written(_Area.of(book.get_sheet_by_name(name), unseen.get(name, {}), request), request) for name in wanted
    ]
    return {
        "names": names,
        "sheets": [{"name": name, **sheet} for name, sheet in zip(wanted, written, strict=True) if sheet],
    }


def _open(path: str, raw: Any) -> Any:
    import python_calamine

    content = raw.with_unicode(Path(path))
    if content is not None:
        return python_calamine.CalamineWorkbook.from_filelike(content)
    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.CalamineError as error:
        # By path the format is taken from the name; from bytes it is taken from what is there. Many an
        # `.xls` of an old system is something else.
        try:
            with Path(path).open("rb") as stream:
                return python_calamine.CalamineWorkbook.from_filelike(stream)
        except python_calamine.CalamineError:
            raise error from None


def _wanted(names: list[str], sheet: str | int) -> list[str]:
    if sheet == "all":
        return names
    if isinstance(sheet, int):
        return names[sheet : sheet + 1]
    return [sheet] if sheet in names else []


@dataclass(frozen=True)
class _Area:
    """The cells of a sheet that are asked for; an empty cell is ''."""

    sheet: Any
    #: cells by row and column, from 0, that the reader shows otherwise than they stand in the file
    unseen: dict[int, dict[int, str]]
    #: first and last row, the last None where there is no end
    first: int
    last: int | None
    #: first column, and the one after the last
    left: int
    right: int
    #: the first column that has a cell, and the one after the last, of the whole sheet
    edge: int
    far: int

    @classmethod
    def of(cls, sheet: Any, unseen: dict[int, dict[int, str]], request: dict[str, Any]) -> _Area | None:
        """None where the sheet has no cell there."""
        columns = {column for cells in unseen.values() for column in cells}
        if sheet.start is not None:
            columns |= {sheet.start[1], sheet.end[1]}
        if not columns:
            return None
        first, last, left, right = request["range"] or (0, None, 0, None)
        begin, end = min(columns), max(columns)
        left, right = max(left, begin), min(end, end if right is None else right) + 1
        return cls(sheet, unseen, first, last, left, right, begin, end + 1) if left < right else None

    def with_cells(self, unseen: dict[int, dict[int, str]]) -> _Area:
        """The same with more cells that the reader shows otherwise."""
        rows = unseen.keys() | self.unseen.keys()
        return replace(self, unseen={row: unseen.get(row, {}) | self.unseen.get(row, {}) for row in rows})

    def batches(self, start: int) -> Iterator[tuple[list[int], list[Sequence[Any]]]]:
        """The rows from `start` that have a value, with their numbers, some at a time."""
        width, whole = self.right - self.left, self.far - self.edge
        inside = slice(self.left - self.edge, self.right - self.edge)
        rows = self._rows()
        for place in itertools.count(0, _BATCH):
            batch = list(itertools.islice(rows, _BATCH))
            if not batch or (self.last is not None and place > self.last):
                return
            for row in self.unseen.keys() & range(place, place + len(batch)):
                for column, text in self.unseen[row].items():
                    batch[row - place][column - self.edge] = text
            cut = batch if width == whole else [row[inside] for row in batch]
            stop = place + len(batch) if self.last is None else self.last + 1
            kept = [
                number for number, row in enumerate(cut, place) if start <= number < stop and row.count("") != width
            ]
            yield kept, [cut[number - place] for number in kept]

    def _rows(self) -> Iterator[list[Any]]:
        """All rows from the first of the sheet and from `edge` on, also where the reader ends before the last cell."""
        number = 0
        if self.sheet.start is not None:
            # From the first row of the sheet, but from the first column in which the reader has a cell.
            left, right = [""] * (self.sheet.start[1] - self.edge), [""] * (self.far - self.sheet.end[1] - 1)
            for row in self.sheet.iter_rows():
                yield [*left, *row, *right] if left or right else row
                number += 1
        for _ in range(number, max(self.unseen, default=-1) + 1):
            yield [""] * (self.far - self.edge)


def _written(area: _Area | None, request: dict[str, Any]) -> dict[str, Any]:
    """The file of a sheet's record batches, and its columns; nothing when the sheet is empty."""
    if area is None:
        return {}
    header, cells = _header(area, request["header_row"])
    start = area.first if header is None else header + 1
    kinds, height, doubtful = _surveyed(area, start)
    if doubtful:
        area = area.with_cells(request["raw"].no_dates(request["path"], area.sheet.name, doubtful))
        kinds, height, _ = _surveyed(area, start)
    if header is None and not height:
        return {}
    # No header and no cell: only formatted.
    wanted = [place for place, kind in enumerate(kinds) if kind or cells[place]]
    path = Path(request["folder"]) / f"{next(_numbers):06}.arrow"
    _write(path, area.batches(start), [(place, *_type(kinds[place])) for place in wanted])
    names = [cells[place] or f"column_{area.left + place + 1}" for place in wanted]
    return {"path": str(path), "height": height, "columns": names}


def _surveyed(area: _Area, start: int) -> tuple[list[set[type]], int, list[int]]:
    """The types in each column of the rows from `start`, how many rows there are, and the sheet's columns with a moment in doubt.

    calamine gives the time of day alone, or another day, for what is before the first day of a workbook. So it does for the
    29th of February 1900, which Excel has and the calendar has not.
    """
    kinds: list[set[type]] = [set() for _ in range(area.left, area.right)]
    doubtful: set[int] = set()
    height = 0
    for numbers, rows in area.batches(start):
        height += len(numbers)
        for place, column in enumerate(zip(*rows, strict=True)):
            types_of_column = _kinds(column)
            kinds[place] |= types_of_column
            dates = column if types_of_column & {date, datetime} else ()
            if time in types_of_column or any(isinstance(cell, date) and cell.year == 1900 for cell in dates):
                doubtful.add(area.left + place)
    return kinds, height, sorted(doubtful)


def _header(area: _Area, wanted: Any) -> tuple[int | None, list[str]]:
    """The header's row from 0 and its cells: the given one, from 1 and counted in the range, or the first with a value."""
    none = [""] * (area.right - area.left)
    if wanted == 0:
        return None, none
    row = area.first if wanted == "auto" else area.first + int(wanted) - 1
    for numbers, rows in area.batches(row):
        if numbers:
            has_header = wanted == "auto" or numbers[0] == row
            return (numbers[0] if has_header else row), [
                cell_text(cell) or "" for cell in rows[0]
            ] if has_header else none
    return None, none


def _kinds(column: Sequence[Any]) -> set[type]:
    kinds = set(map(type, column))
    if str in kinds and not any(column if kinds == {str} else (cell for cell in column if type(cell) is str)):
        kinds.discard(str)
    return kinds


def _type(kinds: set[type]) -> tuple[Any, Callable[[Any], Any] | None]:
    """The type of a column whose cells are of these types, and what makes a cell a value of it; None where it is one."""
    import pyarrow as pa

    if kinds and kinds <= {float, int}:
        return pa.float64(), None if kinds == {float} else float
    if kinds == {bool}:
        return pa.bool_(), None
    if kinds and kinds <= {date, datetime}:
        return pa.timestamp("us"), None if kinds == {datetime} else _moment
    return pa.string(), None if kinds <= {str} else cell_text


def _values(cells: Sequence[Any], made: Callable[[Any], Any] | None) -> Sequence[Any]:
    """The cells as values of their column, null where one is empty."""
    if made is not None:
        return [None if cell == "" else made(cell) for cell in cells]
    return [None if cell == "" else cell for cell in cells] if "" in cells else cells


def _write(path: Path, batches: Iterator[tuple[list[int], list[Sequence[Any]]]], columns: list[Any]) -> None:
    import pyarrow as pa

    schema = pa.schema([*((str(place), kind) for place, kind, _ in columns), ("_row", pa.int64())])
    with pa.ipc.new_file(path, schema) as out:
        for numbers, rows in batches:
            if not numbers:
                continue
            across = list(zip(*rows, strict=True))
            arrays = [pa.array(_values(across[place], made), kind) for place, kind, made in columns]
            out.write_batch(pa.record_batch([*arrays, pa.array([number + 1 for number in numbers])], schema=schema))


def _moment(cell: date) -> datetime:
    return cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001


def cell_text(cell: Any) -> str | None:
    """A cell in a column of text: a number with all its digits, a moment as in ISO 8601, a duration in hours."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if abs(cell) < _INTEGRAL and cell.is_integer() else repr(cell)
    if isinstance(cell, date):
        return _moment(cell).isoformat(" ")
    if isinstance(cell, time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return _duration(cell)
    return str(cell)


def _duration(cell: timedelta) -> str:
    whole, rest = divmod(abs(cell), timedelta(seconds=1))
    sign, fraction = "-" if cell < timedelta() else "", f".{rest.microseconds:06}" if rest else ""
    return f"{sign}{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{fraction}"


if __name__ == "__main__":
    main()
