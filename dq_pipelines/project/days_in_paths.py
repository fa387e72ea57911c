"""Whether the day patterns of a project's tables fit the files that lie at their sources now."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.errors import Problem, SourceError
from dq_pipelines.project.model import Project, Table
from dq_pipelines.project.tables import DailyPartitions, LandedTable


def paths_without_a_day(project: Project) -> list[Problem]:
    """For each table of daily partitions, how many paths at its source hold no day, and the first; nothing in a store is asked."""
    return [problem for table in project for problem in _of(table)]


def _of(table: Table) -> Iterator[Problem]:
    model = table.model
    if not isinstance(model, LandedTable) or not isinstance(model.partitions, DailyPartitions):
        return
    if model.source.asks_network:
        return
    try:
        inputs = model.source.inputs()
    except SourceError:
        return  # the files of a project are checked where its data need not be
    pattern = model.partitions.pattern
    wrong = [item.uri for item in inputs if pattern.day_in(item.uri) is None]
    if wrong:
        of = f"{len(wrong):,} of {len(inputs):,} paths at the source {'holds' if len(wrong) == 1 else 'hold'} none"
        said = (
            f"partitions.in_path: wanted a day that is written as {model.partitions.in_path}, {of}, such as {wrong[0]}"
        )
        yield Problem(table.file, table.partitions_line, said)
