"""Decides with which input a person corrects a cell: by the column's type, and by the values that it may have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import polars as pl

from dq_pipelines.pipeline.exchange.corrected_cells import why_locked
from dq_pipelines.pipeline.exchange.row_corrections import CorrectableColumns, shown_cells
from dq_pipelines.pipeline.exchange.workbook import Refusal
from dq_pipelines.transforms.types import dtype_of

#: What an HTML input of numbers accepts.
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
#: Characters from which on a text gets several lines.
_LONG = 60

Kind = Literal["text", "long", "number", "date", "choice"]


@dataclass(frozen=True)
class Cell:
    """A cell of a refused row."""

    column: str
    #: its text, corrected where a person has corrected it
    text: str | None
    #: what landed
    landed: str | None
    #: why it was refused; "" if it was not
    why: str = ""
    #: why it cannot be corrected; "" if it can
    locked: str = ""
    kind: Kind = "text"
    #: the text in its input; "" where the input cannot hold it
    value: str = ""
    #: the step of a number: `1` or `any`
    step: str = "any"
    choices: Sequence[str] = ()
    #: what the column accepts, in words
    wanted: str = ""

    @property
    def is_corrected(self) -> bool:
        return self.text != self.landed


def cells_of(columns: CorrectableColumns, row: Mapping[str, Any]) -> list[Cell]:
    """The cells of a refused row, with their inputs."""
    refusal, shown = columns.rules.refusal_of(row), shown_cells(row, columns.names)
    return [_cell(columns, refusal, name, text, row[name]) for name, text in shown.items()]


def _cell(columns: CorrectableColumns, refusal: Refusal, name: str, text: str | None, landed: str | None) -> Cell:
    why = refusal.reasons.get(name, "")
    locked = why_locked(columns.layout, columns.names, name, refusal)
    if locked is not None:
        return Cell(name, text, landed, why, locked)
    column = columns.declared(name)
    dtype = dtype_of(column.type) if column is not None else columns.landed[columns.names[name]]
    known = [*columns.layout.choices.get(name, ())] or (["true", "false"] if dtype == pl.Boolean else [])
    if known:
        choices = tuple(dict.fromkeys([*known, *([text] if text is not None else [])]))
        kind, value = "choice", text or ""
    else:
        choices = ()
        kind, value = _input(dtype, text, column.format if column is not None else None)
    step = "1" if dtype.is_integer() else "any"
    return Cell(name, text, landed, why, "", kind, value, step, choices, columns.wanted(name))  # type: ignore[arg-type]


def _input(dtype: pl.DataType, text: str | None, pattern: str | None) -> tuple[str, str]:
    """The kind of input for a type, and the text in it."""
    text = text or ""
    if dtype.is_numeric():
        return "number", text if _NUMBER.match(text) else ""
    if dtype == pl.Date:
        return "date", _day(text, pattern)
    return "long" if len(text) > _LONG or "\n" in text or "\r" in text else "text", text


def _day(text: str, pattern: str | None) -> str:
    """A date as an HTML input has it; "" for a text that is none."""
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat()
    with suppress(ValueError):
        return datetime.strptime(text, pattern or "%Y-%m-%d").date().isoformat()  # noqa: DTZ007 - a day only
    return ""
