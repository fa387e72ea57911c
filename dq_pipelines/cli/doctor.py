"""`dq doctor`: examines an installation, prints findings with remedies, and repairs what is safe to repair."""

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
        typer.Option("--repair", help="Repair what is safe to repair; never delete what may be the only copy."),
    ] = False,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows", metavar="TABLE", help="Prove that each landed row is in exactly one place.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Examine lake, history, state, Dagster's records, disk, clock and libraries. Exit 1 when there is an error."""
    if rows is not None:
        _rows(rows, as_json=as_json)
        return
    from dq_pipelines.doctor.examinations import EXAMINATIONS, diagnose
    from dq_pipelines.doctor.installation import Installation

    diagnoses = []
    for diagnosis in diagnose(Installation.from_environment(), repair=repair):
        diagnoses.append(diagnosis)
        if not as_json:
            print(_line(diagnosis))
    errors = sum(diagnosis.is_error for diagnosis in diagnoses)
    if as_json:
        findings = [_finding(diagnosis) for diagnosis in diagnoses]
        print(json.dumps({"examinations": list(EXAMINATIONS), "errors": errors, "findings": findings}))
    else:
        print(f"{len(EXAMINATIONS)} examinations, {counted(len(diagnoses), 'finding')}, {counted(errors, 'error')}")
    if errors:
        raise typer.Exit(1)


def _line(diagnosis: Diagnosis) -> str:
    line = f"{diagnosis.finding.severity}: {diagnosis.finding}"
    if diagnosis.repaired:
        return f"{line}\n  repaired: {diagnosis.repaired}"
    if diagnosis.not_repaired:
        return f"{line}\n  not repaired: {diagnosis.not_repaired}"
    return line


def _finding(diagnosis: Diagnosis) -> dict[str, object]:
    finding = diagnosis.finding
    return {
        "examination": diagnosis.examination,
        "severity": finding.severity,
        "place": finding.place,
        "said": finding.said,
        "remedy": finding.remedy,
        "repairable": finding.repair is not None,
        "repaired": diagnosis.repaired,
        "not_repaired": diagnosis.not_repaired,
    }


def _rows(name: str, *, as_json: bool) -> None:
    from dq_pipelines.cli.project_tables import named_tables, sound_project
    from dq_pipelines.doctor.accounting import account
    from dq_pipelines.errors import ConfigError, Problem
    from dq_pipelines.pipeline.runtime.stores import Stores
    from dq_pipelines.pipeline.runtime.table_run import TableRun

    (table,) = named_tables(sound_project(), [name], "doctor --rows")
    if table.is_gold:
        raise ConfigError([Problem("", 0, f"dq doctor --rows: wanted a table with a source, got {table.key}")])
    stores = Stores.from_environment()
    rows = account(TableRun(table, stores.lake), stores.history)
    if as_json:
        print(json.dumps(rows.to_dict()))
    else:
        print("\n".join(_account_lines(rows)))
    if not rows.is_right:
        raise typer.Exit(1)


def _account_lines(rows: Account) -> list[str]:
    lines = [f"{rows.table}: {counted(rows.landed, 'landed row')}"]
    lines += [f"  {count:>12,} {place}" for place, count in rows.places.items()]
    lines += [f"nowhere: {row}" for row in rows.nowhere]
    lines += [f"in two places: {row}" for row in rows.twice]
    lines += [f"not in bronze: {row}" for row in rows.unlanded]
    lines.append("each landed row is in one place" if rows.is_right else "the rows do not add up")
    return lines
