"""What an uploaded file holds: its kind, its sheets, its first rows, a profile of its columns, and a suggested YAML.

It runs in the process of `worker`: every value is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import ConfigError, Problem, SourceError
from dq_pipelines.monitoring.suggestions.profile_page import column_views
from dq_pipelines.monitoring.suggestions.sheets import choose_sheet, first_rows
from dq_pipelines.monitoring.suggestions.table import suggested_table, table_yaml
from dq_pipelines.project.remote_policy import LONGEST
from dq_pipelines.sources import Reading, Source, read, source_from
from dq_pipelines.sources.csv import Csv
from dq_pipelines.uploads.file_names import kind_of_name
from dq_pipelines.uploads.first_lines import TextLook, look_at_text

#: Rows and columns of the first rows, and characters of a cell.
_ROWS, _COLUMNS, _LONGEST = 20, 40, 120
#: Columns whose profile is shown, and unreadable lines.
_PROFILED, _UNREADABLE = 300, 5
#: Encodings that a run reads without a guess.
_UTF_8 = ("utf-8", "utf8", "utf-8-sig", "ascii")
#: Below this, a float has all digits of a whole number.
_WHOLE = 2**53


def inspect(
    *,
    path: str,
    name: str,
    folder: str,
    table: str,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Look at the file at `path`, called `name`, which lands below `folder` as an input of `table`.

    `options` are keys of its source that the user has chosen, `settings` are keys of the table. Raises SourceError for a
    file that cannot be read, ConfigError for options that do not go with its kind.
    """
    kind = kind_of_name(name)
    wanted = {"type": kind.source, "path": path}
    look = _Look(source={**wanted, **options})
    if kind.source == "excel":
        look = _workbook(wanted, options)
    elif kind.source == "csv":
        look = _text(wanted, options)
    elif options:
        raise ConfigError([Problem("", 0, f"{next(iter(options))}: wanted none for {kind.described}")])
    reading = read(source_from(look.source))
    rows = reading.rows
    columns = rows.collect_schema().names()
    if not columns or not rows.head(1).collect().height:
        raise SourceError(f"{name}: wanted a table with a row of names and rows below it, got no row")
    suggestion = suggested_table(rows)
    # The ending as it stands in the name: patterns tell capitals apart.
    source = {**look.source, "path": f"${{DQ_LANDING}}/{folder}/{table}/*{name[name.rfind('.') :]}"}
    yaml = _with_landing(table_yaml(suggestion, table, source, None, settings))
    if len(yaml.encode()) > LONGEST:
        raise SourceError(
            f"{name}: wanted a table whose YAML has at most {LONGEST:,} bytes, got {len(columns):,} columns"
        )
    return {
        "kind": kind.source,
        "described": kind.described,
        "sheets": look.sheets,
        "sheet": look.source.get("sheet"),
        "header_row": look.header,
        "delimiter": look.text.delimiter if look.text else None,
        "encoding": look.text.encoding if look.text else None,
        "first_rows": look.rows,
        "rows": suggestion.landed.rows,
        "sampled": None if suggestion.landed.is_whole else suggestion.landed.sample.height,
        "columns": columns,
        "preview": _preview(rows, columns),
        "profile": [asdict(view) for view in column_views(suggestion)[:_PROFILED]],
        "unreadable": _unreadable(reading),
        "notes": look.notes,
        "yaml": yaml,
    }


def _with_landing(text: str) -> str:
    """The YAML with the one `${DQ_LANDING}` that is meant to be replaced: the writer takes every `$` for a plain one."""
    lines = (
        line.replace("$${DQ_LANDING}", "${DQ_LANDING}") if line.startswith("source: ") else line
        for line in text.split("\n")
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class _Look:
    """How a file is read, and how its first rows look before that."""

    source: Mapping[str, Any]
    sheets: Sequence[str] = ()
    #: the row of the names, from 1; 0 for none, None where the kind of file has no such row
    header: int | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    text: TextLook | None = None


def _workbook(wanted: Mapping[str, Any], options: Mapping[str, Any]) -> _Look:
    from dq_pipelines.sources.excel import list_sheets

    if odd := options.keys() - {"sheet", "header_row"}:
        raise ConfigError([Problem("", 0, f"{min(odd)}: wanted none for a workbook")])
    sheets = list_sheets(wanted["path"])
    sheet = options.get("sheet")
    if sheet is not None and sheet not in sheets:
        raise ConfigError([Problem("", 0, f"sheet: wanted one of {', '.join(sheets)}, got '{sheet[:60]}'")])
    chosen = choose_sheet(wanted, sheet)
    source = {**chosen.source, **{key: value for key, value in options.items() if key == "header_row"}}
    if source.get("sheet") == sheets[0]:
        source.pop("sheet")
    rows = first_rows(source, _ROWS)
    header = source.get("header_row", rows[0].number if rows else 0)
    why = chosen.why.partition(";")[0] if chosen.why else None
    return _Look(
        {key: value for key, value in source.items() if key != "header_row" or not rows or value != rows[0].number},
        sheets=sheets,
        header=header,
        rows=[_row(row.number, row.cells) for row in rows],
        notes=[f"{why[:1].upper()}{why[1:]}."] if why else [],
    )


def _text(wanted: Mapping[str, Any], options: Mapping[str, Any]) -> _Look:
    if odd := options.keys() - {"delimiter", "encoding", "header_row"}:
        raise ConfigError([Problem("", 0, f"{min(odd)}: wanted none for delimited text")])
    told = {key: value for key, value in options.items() if key != "header_row"}
    header = options.get("header_row")
    if header is not None:
        told |= {"header_rows": 0} if header == 0 else {"skip_rows": header - 1, "header_rows": 1}
    source = source_from({**wanted, **told})
    text = look_at_text(Path(wanted["path"]), _csv(source), _ROWS)
    if _plain(text.encoding) not in _UTF_8:
        told.setdefault("encoding", text.encoding)  # else each run would guess it, and warn of its guess
    return _Look(
        {**wanted, **told},
        header=text.header if header is None else header,
        rows=[_row(number, cells) for number, cells in text.rows],
        text=text,
    )


def _plain(encoding: str) -> str:
    return encoding.lower().replace("_", "-")


def _csv(source: Source) -> Csv:
    if not isinstance(source, Csv):
        raise TypeError(f"wanted a source of delimited text, got {type(source).__name__}")
    return source


def _row(number: int, cells: tuple[str, ...]) -> dict[str, Any]:
    return {"number": number, "cells": [cell[:_LONGEST] for cell in cells[:_COLUMNS]]}


def _preview(rows: pl.LazyFrame, columns: list[str]) -> list[list[str | None]]:
    shown = rows.select([pl.col(exact(name)) for name in columns[:_COLUMNS]]).head(_ROWS // 2).collect()
    return [[None if cell is None else _cell(cell) for cell in row] for row in shown.rows()]


def _cell(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE  # a workbook has no other numbers
    return str(int(value) if whole else value)[:_LONGEST]


def _unreadable(reading: Reading) -> dict[str, Any]:
    lines = reading.unreadable
    count = int(lines.select(pl.len()).collect().item())
    first = lines.sort("_row").head(_UNREADABLE).select("_row", "_text", "_why").collect() if count else None
    shown = [] if first is None else first.rows()
    return {"count": count, "first": [{"row": row, "text": text[:_LONGEST], "why": why} for row, text, why in shown]}
