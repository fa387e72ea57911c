"""Workbooks: which sheets, rows and columns. They are opened in a process of its own (`workbook.py`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import SourceError, Transient, nearest
from dq_pipelines.sources.base import ROW, SHEET, Reading
from dq_pipelines.sources.common_types import widened
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.float_text import float_text
from dq_pipelines.sources.frames import Piece, check_width, reading, scanned
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.names import named
from dq_pipelines.sources.scratch import scratch_folder

if TYPE_CHECKING:
    import polars as pl

_RANGE = re.compile(r"([A-Z]{1,3})([1-9][0-9]*):([A-Z]{1,3})([1-9][0-9]*)")
#: What reading a workbook of no size may take; a large one may take more in proportion, as honest ones do.
_MEMORY, _MEMORY_A_BYTE = 768 * 1024**2, 100
#: Of CPU, not of the clock: a busy machine says nothing of the workbook. A process that waits for a disk takes none.
_SECONDS, _SECONDS_A_MEGABYTE, _PATIENCE = 20, 10, 20


#: How a process ends that has used up its time.
_OUT_OF_TIME = {getattr(signal, name) for name in ("SIGXCPU",) if hasattr(signal, name)}


class ExcelSource(FileSource):
    """Workbooks: `.xlsx`, `.xlsm`, `.xls`, `.xlsb` and `.ods`, hidden sheets included.

    Cells keep their types: a column of numbers is float64, of dates datetime, of true and false boolean.
    A column whose cells differ in type is text, so that nothing is lost. So is one that has an error such as `#N/A`, a time
    of day, a duration or an integer of more digits than float64 keeps. A cell as text is all that it says: `1001`, `3e-10`,
    `2024-01-02 00:00:00`, `10:30:00`, `34:30:00`, `true`, `#N/A`. Formulas are read as the value that was
    stored with them; one that no program has calculated is its text (`=A1+1`). Of merged cells the first has the
    value. Rows without any value are passed over; a column without a name is `column_3`, after its place in the sheet.
    """

    kinds = ((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"),)

    type: Literal["excel"]
    #: A sheet's name, its place from 0, or `all`, which puts all sheets together and adds the column `_sheet`.
    sheet: str | Annotated[int, Field(ge=0)] = 0
    #: The row of the column names, from 1 (in a range: its first row is 1), or 0 when there is none.
    #: `auto` is the first row that is not empty.
    header_row: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    #: Only these cells, as in `B2:F100`.
    range: str | None = None

    @field_validator("range")
    @classmethod
    def _is_a_range(cls, value: str | None) -> str | None:
        if value is not None:
            _cells(value)
        return value

    def read(self, inputs: Sequence[Input]) -> Reading:
        pieces = [piece for item in inputs for part in self.parts(item) for piece in self._pieces(part)]
        return reading(_agreeing(pieces))

    def _pieces(self, part: Part) -> Iterator[Piece]:
        import polars as pl

        folder = _RowsFolder()
        answer = _ask(
            part.path,
            part.source,
            sheet=self.sheet,
            header_row=self.header_row,
            range=None if self.range is None else _cells(self.range),
            folder=str(folder.path),
        )
        must_be_unchanged(part.input)
        self._has_sheet(part.source, answer["names"])
        for sheet in answer["sheets"]:
            columns = [*sheet["columns"], *([SHEET] if self.sheet == "all" else [])]
            check_width(part.source, len(columns))
            names = named(columns)
            # Rows of several sheets have the same numbers: with its sheet, a row's place is its own.
            source = f"{part.source}#{sheet['name']}" if self.sheet == "all" else part.source
            scan = pl.scan_ipc(sheet["path"], glob=False)
            if self.sheet == "all":
                scan = scan.with_columns(pl.lit(sheet["name"]).alias(SHEET))
            columns_read = [name for name in scan.collect_schema() if name != ROW]
            scan = scan.rename(dict(zip(columns_read, [name for _, name in names], strict=True)))
            schema = {name: kind for name, kind in scan.collect_schema().items() if name != ROW}
            rows = scanned(scan, sheet["height"], source, folder.keep)
            yield Piece(source, rows, schema, sheet["height"], names)

    def _has_sheet(self, source: str, names: Sequence[str]) -> None:
        existing = ", ".join(f"'{name}'" for name in names) or "none"
        if isinstance(self.sheet, int):
            if self.sheet >= len(names):
                raise SourceError(
                    f"{source}: wanted sheet {self.sheet} (from 0), got {counted(len(names), 'sheet')}: {existing}"
                )
        elif self.sheet != "all" and self.sheet not in names:
            raise SourceError(f"{source}: wanted the sheet '{self.sheet}', got {existing}{nearest(self.sheet, names)}")


def list_sheets(path: str | Path) -> list[str]:
    """The names of a workbook's sheets, hidden ones too, in their order; raises SourceError when it is none."""
    if not Path(path).is_file():
        raise SourceError(f"{path}: wanted a workbook, got no file")
    return list(_ask(Path(path), str(path), sheet=None)["names"])


@dataclass(eq=False)
class _RowsFolder:
    """A folder for the rows of one workbook; it goes when the last plan that reads it goes."""

    path: Path

    def __init__(self) -> None:
        self.path = scratch_folder()
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def keep(self) -> None:
        """Does nothing: a plan that refers to this method keeps the folder."""


def _cells(text: str) -> tuple[int, int, int, int]:
    """First and last row, first and last column, from 0."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"wanted a range of cells such as B2:F100, got {text!r}")
    left, first, right, last = match.groups()
    cells = int(first) - 1, int(last) - 1, _column(left), _column(right)
    if cells[0] > cells[1] or cells[2] > cells[3]:
        raise ValueError(f"wanted a range from its upper left to its lower right cell, got {text!r}")
    return cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _ask(path: Path, source: str, **request: Any) -> Any:
    """What workbook.py answers; raises SourceError when it finds no workbook, or does not come back alive."""
    size = path.stat().st_size
    if not size:
        raise SourceError(f"{source}: wanted a workbook, got 0 bytes")
    seconds = _SECONDS + _SECONDS_A_MEGABYTE * size / 1024**2
    memory = _MEMORY + _MEMORY_A_BYTE * size
    request |= {"path": str(path), "memory": memory, "seconds": int(seconds)}
    # -P: the folder of this room must not come first among modules, it has a json.py.
    command = [sys.executable, "-P", str(Path(__file__).with_name("workbook.py"))]
    environment = {**os.environ, "RUST_BACKTRACE": "0"}  # or a panic's last words are not what it says
    try:
        done = subprocess.run(  # noqa: S603 - our own program and our own interpreter
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds * _PATIENCE,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        waited = f"{seconds * _PATIENCE:.0f} s"
        raise Transient(f"{source}: wanted to open a workbook, got no answer for {waited}: try again") from None
    if -done.returncode in _OUT_OF_TIME:
        raise SourceError(f"{source}: wanted a workbook, got one that takes over {seconds:.0f} s of CPU to open")
    if done.returncode:
        # The last words of a process that ran out of memory, or of a parser that panicked.
        output = [line for line in done.stderr.decode(errors="replace").splitlines() if line and line[:5] != "note:"]
        ended = output[-1].strip()[:200] if output else f"signal {-done.returncode}"
        raise SourceError(f"{source}: wanted a workbook that opens within {memory // 1024**2} MiB, got: {ended}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise SourceError(f"{source}: wanted a workbook, got: {answer['error']}")
    return answer


def _agreeing(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, a column that is a number in one sheet and a date in another being text in both."""
    kinds: dict[str, pl.DataType | None] = {}
    for piece in pieces:
        for name, kind in piece.schema.items():
            common = kinds.setdefault(name, kind)
            kinds[name] = kind if common == kind else None if common is None else widened(common, kind)
    odd = {name for name, kind in kinds.items() if kind is None}
    return [_as_text(piece, odd & piece.schema.keys()) for piece in pieces] if odd else list(pieces)


def _as_text(piece: Piece, names: set[str]) -> Piece:
    import polars as pl

    cells = {name: _cell_as_text(name, piece.schema[name]) for name in names}

    def batches(columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        for batch in piece.batches(columns):
            yield batch.with_columns([cell for name, cell in cells.items() if name in batch.columns])

    text: dict[str, pl.DataType] = dict.fromkeys(names, pl.String())
    return Piece(piece.source, batches, {**piece.schema, **text})


def _cell_as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """The cell as workbook.py writes it in a column of text."""
    import polars as pl
    from polars import selectors

    cell = selectors.by_name(name).as_expr()  # a column may be called `*`
    if kind.is_float():
        return float_text(cell)
    if kind.is_temporal():
        return cell.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S%.f")
    return cell.cast(pl.String)
