"""`dq sample`: writes sample landing data, or lists a workbook's sheets."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dq_pipelines.samples import ExpectedFaults

app = typer.Typer()


@app.command()
def sample(
    domains: Annotated[list[str] | None, typer.Argument(help="flights, retail, detector.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every domain.")] = False,
    more: Annotated[bool, typer.Option("--next", help="Land one more run of the detector.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed and size give the same bytes.")] = 7,
    size: Annotated[float, typer.Option(help="The amount of data, as a multiple of the default.")] = 1.0,
    landing: Annotated[
        str | None, typer.Option(help="The folder to write to; DQ_LANDING, else landing.", show_default=False)
    ] = None,
    list_sheets: Annotated[
        Path | None,
        typer.Option("--list-sheets", metavar="FILE", help="List a workbook's sheets instead.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Write sample landing data with a known number of faults, or list the sheets of a workbook."""
    if list_sheets is not None:
        _list_sheets(list_sheets, as_json=as_json)
        return
    from dq_pipelines.samples import SAMPLES, generate

    if not domains and not every:
        raise ConfigError([Problem("", 0, f"dq sample: wanted --all or some of {', '.join(SAMPLES)}, got neither")])
    place = landing or Settings.from_environment().landing
    if "://" in place:
        raise ConfigError([Problem("", 0, f"dq sample: wanted a folder of this machine to write to, got {place}")])
    folder = Path(place)
    truths = [
        generate(domain, folder, seed=seed, size=size, following=more)
        for domain in dict.fromkeys([*(domains or ()), *(SAMPLES if every else ())])
    ]
    if as_json:
        print(json.dumps([asdict(truth) for truth in truths]))
        return
    for truth in truths:
        _print(truth, folder)


def _print(truth: ExpectedFaults, folder: Path) -> None:
    rows = ", ".join(f"{table} {number:,}" for table, number in truth.landed.items())
    faults = sum(fault.count for fault in truth.faults)
    files = f"{counted(len(truth.written), 'file')} written" if truth.written else "nothing new to write"
    print(f"{truth.domain} in {folder}: {files}; rows: {rows}; {counted(faults, 'fault')} seeded")


def _list_sheets(path: Path, *, as_json: bool) -> None:
    from dq_pipelines.sources.excel import list_sheets

    names = list_sheets(path)
    print(json.dumps(names) if as_json else "\n".join(names))
