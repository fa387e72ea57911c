"""The tab of a table's lineage: the tables around it, and where each of its columns comes from and goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dq_pipelines.project import Project, Table
from dq_pipelines.project.column_lineage import Column, column_origins
from dq_pipelines.web.dashboard.lineage_picture import LineagePicture
from dq_pipelines.web.dashboard.table_graph import TableGraph
from dq_pipelines.web.dashboard.table_page import TableVisit

#: Tables that are computed from one table, of which columns are traced at most.
_TRACED = 20


@dataclass(frozen=True)
class ColumnLine:
    """One column: what it is computed from, and what is computed from it."""

    name: str
    origins: Sequence[Column]
    uses: Sequence[Column]


@dataclass(frozen=True)
class LineageTab:
    """The tables around a table, and the lineage of its columns."""

    picture: LineagePicture | None
    columns: Sequence[ColumnLine]
    #: tables computed from this one whose columns are not traced
    untraced: Sequence[str] = ()


def lineage_tab(of: TableVisit) -> LineageTab:
    """The lineage among the tables that the caller may view."""
    visit, project, table = of.visit, of.visit.known.project, of.page.table
    if table is None:
        return LineageTab(None, ())
    around = TableGraph.of(one for one in project if visit.sees(one.key)).around(of.key)
    statuses = {one.table: one.status for one in visit.standings() if one.table in around.tables}
    statuses[of.key] = of.page.line.status
    columns = visit.site.columns_of(table)
    used = _uses(of, project, [around.tables[key] for key in around.consumers.get(of.key, ())])
    schemas = {key: visit.site.columns_of(one) for key in table.inputs if (one := project.by_key(key)) is not None}
    origins = column_origins(table, columns, schemas)
    lines = [
        ColumnLine(name, [one for one in origins[name] if _is_seen(of, one)], used.get(name, ())) for name in columns
    ]
    untraced = [key for key in around.consumers.get(of.key, ()) if _is_untraced(around.tables[key], of.key)]
    return LineageTab(LineagePicture(around, statuses, of.key), lines, untraced)


def _uses(of: TableVisit, project: Project, consumers: Sequence[Table]) -> dict[str, list[Column]]:
    """By column of the table, the columns of other tables that are computed from it."""
    found: dict[str, list[Column]] = {}
    for one in [table for table in consumers if table.is_gold][:_TRACED]:
        schemas = {
            key: of.visit.site.columns_of(table) for key in one.inputs if (table := project.by_key(key)) is not None
        }
        for name, origins in column_origins(one, of.visit.site.columns_of(one), schemas).items():
            for key, column in origins:
                if key == of.key:
                    found.setdefault(column, []).append((one.key, name))
    return found


def _is_seen(of: TableVisit, column: Column) -> bool:
    return column[0].startswith("bronze/") or of.visit.sees(column[0])


def _is_untraced(table: Table, key: str) -> bool:
    return table.is_gold and table.gold.sql is None and key in table.inputs
