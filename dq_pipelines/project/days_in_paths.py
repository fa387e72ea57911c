"""Checks the day patterns of a project's tables against the files that are at their sources now."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.errors import Problem, SourceError
from dq_pipelines.project.model import Project, Table
from dq_pipelines.project.tables import DailyPartitions, LandedTable


def paths_without_a_day(project: Project) -> list[Problem]:
    """A problem for each table of daily partitions with paths that hold no day: how many, and the first. Skips object stores."""
    return [problem for table in project for problem in _problems_of(table)]


def _problems_of(table: Table) -> Iterator[Problem]:
    model = table.model
    if not isinstance(model, LandedTable) or not isinstance(model.partitions, DailyPartitions):
        return
    if model.source.asks_network:
        return
    try:
        inputs = model.source.inputs()
    except SourceError:
        return  # a project is also checked on machines without its data
    pattern = model.partitions.pattern
    wrong = [item.uri for item in inputs if pattern.day_in(item.uri) is None]
    if wrong:
        of = f"{len(wrong):,} of {len(inputs):,} paths at the source {'holds' if len(wrong) == 1 else 'hold'} none"
        message = (
            f"partitions.in_path: wanted a day that is written as {model.partitions.in_path}, {of}, such as {wrong[0]}"
        )
        yield Problem(table.file, table.partitions_line, message)
