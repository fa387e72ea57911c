"""Corrects cells of open refused rows. The texts are kept in quarantine, and the next replay judges the rows with them.

All corrections are checked before any is written. What publishes the rows belongs in `replay`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Self

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import nearest
from dq_pipelines.lake.update import update
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.pipeline.exchange.corrected_cells import in_pattern, layout_of, why_locked
from dq_pipelines.pipeline.exchange.refusal_reasons import RuleDescriptions
from dq_pipelines.pipeline.exchange.workbook import Layout
from dq_pipelines.pipeline.quarantine.corrections import landed_names, landed_value
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refuse_gold, refused_of
from dq_pipelines.pipeline.quarantine.refused_rows import (
    CORRECTION,
    ID,
    INTO,
    OPEN,
    STATUS,
    STATUS_AT,
    STATUS_BY,
    STATUS_NOTE,
    cells_in,
)
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock
from dq_pipelines.project.tables import Column
from dq_pipelines.transforms.cast import FAILED, cast

#: Texts by column, as silver names it; None for a null.
Cells = Mapping[str, str | None]


@dataclass(frozen=True)
class CorrectionResult:
    """What became of corrections."""

    #: rows that have changed
    rows: int = 0
    #: one sentence for each cell or row that cannot be corrected; with any, nothing is written
    problems: tuple[str, ...] = ()


def correct(work: TableRun, edits: Mapping[str, Cells], *, by: str) -> CorrectionResult:
    """Keep corrected cells of open rows, by row id. A cell that gets its landed text again is no longer corrected.

    A sentence begins with the column, or for more than one row with the row's id and the column.
    """
    return with_table_lock(partial(_correct_locked, edits=edits, by=by))(work)


def _correct_locked(work: TableRun, *, edits: Mapping[str, Cells], by: str) -> CorrectionResult:
    refuse_gold(work)
    rows = refused_of(work)
    columns = CorrectableColumns.of(work, rows.collect_schema().names())
    chosen = RefusedRowFilter(ids=list(edits)).rows(rows).collect()
    now = {row[ID]: row for row in chosen.iter_rows(named=True)}
    changed: dict[str, str | None] = {}
    problems: list[str] = []
    for name, cells in edits.items():
        place = f"{name}: " if len(edits) > 1 else ""
        if (why := _not_open(now.get(name))) is not None:
            problems.append(f"{name}: {why}")
            continue
        problems += [f"{place}{sentence}" for sentence in columns.problems(cells, now[name])]
        correction = columns.correction(cells, now[name])
        if correction != (json.loads(now[name][CORRECTION] or "{}")):
            changed[name] = json.dumps(correction, ensure_ascii=False) if correction else None
    if problems or not changed:
        return CorrectionResult(0, tuple(problems))
    schema = {ID: pl.String, CORRECTION: pl.String}
    fate = [
        pl.lit(OPEN).alias(STATUS),
        pl.lit(work.now).dt.cast_time_unit("us").alias(STATUS_AT),
        pl.lit(by).alias(STATUS_BY),
        # Remove the mark of a killed replay, and the note about an earlier status.
        pl.lit(None, pl.String).alias(STATUS_NOTE),
        pl.lit(None, pl.String).alias(INTO),
    ]
    work.may_commit()
    update(
        work.quarantine,
        pl.DataFrame({ID: list(changed), CORRECTION: list(changed.values())}, schema).with_columns(*fate),
        ID,
        {},
        by=by,
    )
    return CorrectionResult(len(changed))


def _not_open(row: Mapping[str, Any] | None) -> str | None:
    """Why a row cannot be corrected; None for an open one."""
    if row is None:
        return "wanted the id of a refused row, got one that the table does not have"
    if row[STATUS] != OPEN:
        by = f" by {row[STATUS_BY]}" if row[STATUS_BY] else ""
        return f"wanted an open row, got one that is {row[STATUS]}{by}"
    return None


def shown_cells(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str | None]:
    """The cells of a refused row with its corrections, by the columns' names in silver; `names` are the landed columns."""
    correction = json.loads(row[CORRECTION] or "{}")
    return {name: correction.get(names.get(name), row[name]) for name in cells_in(row)}


@dataclass(frozen=True)
class CorrectableColumns:
    """The columns of a table's refused rows, and which texts they accept."""

    work: TableRun
    layout: Layout
    rules: RuleDescriptions
    landed: Mapping[str, pl.DataType] = field(default_factory=dict)
    #: the landed column behind each column that a person may correct
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, work: TableRun, columns: list[str]) -> Self:
        layout, rules = layout_of(work, columns), RuleDescriptions.of(work.table)
        if work.table.is_gold:
            return cls(work, layout, rules)
        landed = bronze(work.table, work.lake).scan().collect_schema()
        return cls(work, layout, rules, landed, landed_names(work.table.landed.silver, landed))

    @cached_property
    def _declared(self) -> Mapping[str, Column]:
        """The declared column of each landed one."""
        silver = resolved(self.work.table.landed.silver, self.landed)
        return {source: column for name, column in silver.columns.items() for source in column.sources or (name,)}

    def declared(self, name: str) -> Column | None:
        """The declaration of a column; None for one that passes as it landed, or that a step makes."""
        return self._declared.get(self.names[name]) if name in self.names else None

    def problems(self, cells: Cells, row: Mapping[str, Any]) -> Iterator[str]:
        """One sentence for each cell of the row that does not accept its new text."""
        refusal, shown = self.rules.refusal_of(row), shown_cells(row, self.names)
        for name, text in cells.items():
            if name not in shown:
                yield f"{name}: unknown column{nearest(name, list(shown))}"
            elif text == shown[name]:
                continue
            elif (why := why_locked(self.layout, self.names, name, refusal)) is not None:
                yield f"{name}: {why.removeprefix(f'{name} ')}"
            elif text is not None and not self._fits(name, self._as_landed(name, text)):
                yield f"{name}: wanted {self.wanted(name)}, got '{text}'"

    def correction(self, cells: Cells, row: Mapping[str, Any]) -> dict[str, str | None]:
        """The row's corrections with these cells, by landed column."""
        correction: dict[str, str | None] = json.loads(row[CORRECTION] or "{}")
        for name, text in cells.items():
            if name not in self.names:
                continue
            if text == row[name]:
                correction.pop(self.names[name], None)
            elif text != correction.get(self.names[name], row[name]):
                correction[self.names[name]] = self._as_landed(name, text)
        return correction

    def wanted(self, name: str) -> str:
        """What a column accepts, in words."""
        column = self.declared(name)
        if column is None:
            return str(self.landed[self.names[name]]) if name in self.names else ""
        return f"{column.type} as {column.format}" if column.format else column.type

    def _as_landed(self, name: str, text: str | None) -> str | None:
        """A date in ISO 8601 in the pattern in which it would have landed; any other text as it is."""
        column = self.declared(name)
        return text if text is None or column is None or column.format is None else in_pattern(text, column.format)

    def _fits(self, name: str, text: str | None) -> bool:
        """Whether a text fits the landed type and the declared one, by the casts that every row goes through."""
        landed, column = self.landed[self.names[name]], self.declared(name)
        rows = pl.LazyFrame({name: [text]}, {name: pl.String}).select(
            landed_value(pl.col(exact(name)), landed).alias(name)
        )
        if rows.collect()[name][0] is None:
            return False
        if column is None:
            return True
        rows, casts = cast(rows, {name: column})
        return not casts or not rows.collect()[f"{FAILED}{name}"][0]
