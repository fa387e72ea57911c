"""Checks whether Dagster's records can be read, and have the partitions of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.history import damage_of
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.orchestration.partitions_definition import partitions_definition
from dq_pipelines.orchestration.runs.dagster_settings import FILE, write_settings

_REMEDY = (
    "stop what uses it, move it away and put back a copy made by dq backup; without one Dagster begins anew: runs and ticks are "
    "forgotten, the lake and the history are not"
)


def examine(installation: Installation) -> Iterator[Finding]:
    home = installation.dagster_home
    if home is None:
        yield Finding(
            "info", "DAGSTER_HOME", "is not set: Dagster's records were not looked at", "set it, and ask again"
        )
        return
    if not home.is_dir():
        said = "wanted the folder of Dagster's records, got none: no run can begin"
        yield Finding("error", str(home), said, "make it, with the project's dagster.yaml in it, or put back a copy")
        return
    if not (home / FILE).exists():
        said = "there is no dagster.yaml: runs go without limits, and runs that died are not ended"
        yield Finding("warning", str(home), said, "put the project's dagster.yaml there", partial(_written, home))
    damaged = list(_damaged(home))
    yield from damaged
    if not damaged:
        yield from _instance(installation)


def _written(home: Path) -> str:
    return f"wrote {write_settings(home)}; start dq serve or dagster anew"


def _damaged(home: Path) -> Iterator[Finding]:
    for path in sorted(home.rglob("*.db")):
        if path.stat().st_size and (problem := damage_of(path)):
            yield Finding("error", str(path), f"Dagster's records are damaged: {problem}", _REMEDY)


def _instance(installation: Installation) -> Iterator[Finding]:
    home = str(installation.dagster_home)
    try:
        with dg.DagsterInstance.from_config(home) as instance:
            instance.get_runs_count()
            yield from _partitions(installation, instance)
    except DqError:
        raise
    except Exception as error:  # noqa: BLE001 - any storage and any dagster.yaml may be configured
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        yield Finding("error", home, f"Dagster's records cannot be opened: {line}", _REMEDY)


def _partitions(installation: Installation, instance: dg.DagsterInstance) -> Iterator[Finding]:
    for table in installation.landed:
        definition = partitions_definition(table)
        key = f"bronze/{table.name}"
        if not isinstance(definition, dg.DynamicPartitionsDefinition) or not installation.readable(key):
            continue
        name = str(definition.name)
        there = {part for part in installation.stores.lake.table(key).partitions() if part is not None}
        lost = sorted(there - set(instance.get_dynamic_partitions(name)))
        if lost:
            said = f"Dagster has forgotten {len(lost):,} of its partitions ({lost[0]}, say): nobody can run them again"
            yield Finding("warning", key, said, "add them in Dagster's UI", partial(_added, installation, name, lost))


def _added(installation: Installation, name: str, lost: list[str]) -> str:
    with dg.DagsterInstance.from_config(str(installation.dagster_home)) as instance:
        instance.add_dynamic_partitions(name, lost)
    return f"added {counted(len(lost), 'partition')} to Dagster"
