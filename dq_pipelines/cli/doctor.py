"""`dq doctor`: look at everything that an installation keeps, say what is wrong and what to do, and repair what is safe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.counting import counted

if TYPE_CHECKING:
    from dq_pipelines.doctor.accounting import Account
    from dq_pipelines.doctor.examinations import Diagnosis

app = typer.Typer()


@app.command()
def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Repair what is safe to repair; nothing is deleted that may be the only copy."),
    ] = False,
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="TABLE", help="Prove that each landed row is in one place.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Look at lake, history, state, Dagster's records, disk, clock and libraries. Exit 1 when something is an error."""
    if rows is not None:
        _rows(rows, as_json=as_json)
        return
    from dq_pipelines.doctor.examinations import EXAMINATIONS, diagnose
    from dq_pipelines.doctor.installation import Installation

    found = []
    for each in diagnose(Installation.from_environment(), repair=repair):
        found.append(each)
        if not as_json:
            print(_line(each))
    errors = sum(each.is_error for each in found)
    if as_json:
        print(
            json.dumps(
                {"examinations": list(EXAMINATIONS), "errors": errors, "findings": [_told(one) for one in found]}
            )
        )
    else:
        print(f"{len(EXAMINATIONS)} examinations, {counted(len(found), 'finding')}, {counted(errors, 'error')}")
    if errors:
        raise typer.Exit(1)


def _line(each: Diagnosis) -> str:
    line = f"{each.finding.severity}: {each.finding}"
    if each.repaired:
        return f"{line}\n  repaired: {each.repaired}"
    if each.not_repaired:
        return f"{line}\n  not repaired: {each.not_repaired}"
    return line


def _told(each: Diagnosis) -> dict[str, object]:
    finding = each.finding
    return {
        "examination": each.examination,
        "severity": finding.severity,
        "place": finding.place,
        "said": finding.said,
        "remedy": finding.remedy,
        "repairable": finding.repair is not None,
        "repaired": each.repaired,
        "not_repaired": each.not_repaired,
    }


def _rows(name: str, *, as_json: bool) -> None:
    from dq_pipelines.cli.asking import named_tables, sound_project
    from dq_pipelines.doctor.accounting import account
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import Work

    (table,) = named_tables(sound_project(), [name], "doctor --rows")
    if table.is_gold:
        raise ConfigError([Problem("", 0, f"dq doctor --rows: wanted a table that lands, got {table.key}")])
    stores = Stores.from_environment()
    found = account(Work(table, stores.lake), stores.history)
    if as_json:
        print(json.dumps(found.to_dict()))
    else:
        print("\n".join(_account_lines(found)))
    if not found.is_right:
        raise typer.Exit(1)


def _account_lines(found: Account) -> list[str]:
    lines = [f"{found.table}: {counted(found.landed, 'landed row')}"]
    lines += [f"  {count:>12,} {place}" for place, count in found.places.items()]
    lines += [f"nowhere: {row}" for row in found.nowhere]
    lines += [f"in two places: {row}" for row in found.twice]
    lines += [f"not in bronze: {row}" for row in found.unlanded]
    lines.append("each landed row is in one place" if found.is_right else "the rows do not add up")
    return lines
