"""Defines the check `schema_drift`: how a batch's columns differ from the table's, what was done, and what to write in YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import polars as pl

from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.errors import nearest
from dq_pipelines.lake.schema_evolution import Change, Drift
from dq_pipelines.project.tables import Column
from dq_pipelines.rules.core.base import OnFailure, Rule
from dq_pipelines.transforms.types import name_of

#: Note on a column whose values in other partitions do not fit today's type.
UNTIL_ALL = "until the other partitions are run with mode: rerun, too"

#: One column change, as the history stores it and the UI shows it; all values are text.
Row = dict[str, str]


class SchemaDrift(Rule):
    """The columns to be published are those of the table. Every silver table has this rule."""

    type: Literal["schema_drift"] = "schema_drift"

    internal: ClassVar[bool] = True

    @property
    def action(self) -> OnFailure:
        return "block" if self.severity == "critical" else "warn"


def drift_result(
    drift: Drift | None,
    columns: Mapping[str, Column],
    unlandable: Sequence[Change] = (),
    over: str = "",
) -> RuleResult:
    """The result of the rule for a batch; `drift` is None for the first batch of a table.

    `unlandable` are changes that keep the rows from landing in bronze. `over` names the partitions of a rerun that does not
    cover the whole table.
    """
    changes = drift.changes if drift else ()
    unlandable_columns = {change.column for change in unlandable}
    refused = [
        *unlandable,
        *(change for change in (drift.refused if drift else ()) if change.column not in unlandable_columns),
    ]
    every = [*unlandable, *(change for change in changes if change.column not in unlandable_columns)]
    advice = {change: _bronze_advice(change) for change in unlandable} | {
        change: _advice(change, columns, over) for change in refused if change not in unlandable
    }
    rows = [_row(change, drift, columns, advice) for change in every]
    message = "; ".join(f"{_describe(change, drift)} ({advised})" for change, advised in advice.items())
    drifted = [change for change in every if change.kind != "reordered"]
    return RuleResult(
        SchemaDrift(severity="critical" if refused else "warning"),
        success=not drifted,
        observed_value=rows or None,
        error=message or None,
    )


def _row(change: Change, drift: Drift | None, columns: Mapping[str, Column], refused: Mapping[Change, str]) -> Row:
    if change in refused:
        done = f"refused: {refused[change]}"
    elif refused and change.kind != "reordered":
        done = "allowed, but nothing of the batch was published"
    else:
        done = _done(change, drift, columns)
    return {
        "column": change.column,
        "change": f"renamed to {change.now}" if change.now else change.kind,
        "before": _shown(change.before),
        "after": _shown(change.after),
        "done": done,
    }


def _shown(what: pl.DataType | tuple[str, ...] | None) -> str:
    if what is None:
        return "absent"
    return ", ".join(what) if isinstance(what, tuple) else name_of(what)


def _done(change: Change, drift: Drift | None, columns: Mapping[str, Column]) -> str:
    if change.kind == "reordered":
        return "nothing: columns go by their names"
    if drift is not None and drift.policy == "rebuild":
        return f"{_shown(change.becomes)}, {UNTIL_ALL}" if change.is_between else "rebuilt"
    match change.kind:
        case "new":
            return "taken on"
        case "missing":
            return "null"
        case "renamed":
            return f"null, and {change.now} taken on; {_advice(change, columns)}"
    kept = f"the values were given the table's type {_shown(change.becomes)}"
    return kept if change.becomes == change.before else f"the column is {_shown(change.becomes)} from now on"


def _describe(change: Change, drift: Drift | None) -> str:
    """One refused change as a clause, with the nearest name."""
    column = f"column '{change.column}'"
    match change.kind:
        case "new":
            return f"new {column}{nearest(change.column, drift.before if drift else ())}"
        case "missing":
            return f"{column} is missing"
        case "renamed":
            return f"{column} is missing, and '{change.now}' looks like its new name"
    return f"{column} was {_shown(change.before)} and is now {_shown(change.after)}"


def _bronze_advice(change: Change) -> str:
    wanted = "mend the input" if change.wants == "rebuild" else f"mend the input, or write schema: {change.wants}"
    return f"it does not land beside what bronze has: {wanted}"


def _advice(change: Change, columns: Mapping[str, Column], over: str = "") -> str:
    name = change.column
    match change.kind:
        case "new":
            return f"to take it on, write schema: {change.wants}, or run with mode: rerun"
        case "missing":
            return f"to publish it as null, write schema: {change.wants}, or run with mode: rerun"
        case "renamed":
            dtype = columns[name].type if name in columns else _shown(change.before)
            kind = f'"{dtype}"' if "," in dtype else dtype
            return f"write {name}: {{type: {kind}, from: [{change.now}, {name}]}} under silver.columns"
    if name in columns:
        typed = f"to give every published row the type under silver.columns, run with mode: rerun{over}"
    else:
        typed = f"give it one type under silver.columns ({name}: {_shown(change.before)})"
    return typed if change.wants == "rebuild" else f"{typed}, or write schema: {change.wants}"
