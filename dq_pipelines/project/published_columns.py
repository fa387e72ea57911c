"""Which columns a table has, as far as its YAML alone can tell. Nothing is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dq_pipelines.project.model import Table
from dq_pipelines.project.tables import LandedTable
from dq_pipelines.transforms.steps import OPAQUE, AnyStep, Cast, Derive, Rename


@dataclass(frozen=True)
class PublishedColumns:
    """The columns that a table is known to publish."""

    names: frozenset[str] = frozenset()
    #: whether there are no others: undeclared columns pass as they landed, and SQL and functions may add any
    complete: bool = False
    #: names that a column has no longer, and the one that it has now
    renamed: tuple[tuple[str, str], ...] = ()

    def after(self, step: AnyStep) -> PublishedColumns:
        if isinstance(step, OPAQUE):
            return PublishedColumns()
        if isinstance(step, Rename):
            names = (self.names - step.rename.keys()) | set(step.rename.values())
            gone = tuple(step.rename.items())
            return replace(self, names=names, renamed=tuple(_still_gone((*self.renamed, *gone), names)))
        if isinstance(step, Derive | Cast):
            added = self.names | (step.derive if isinstance(step, Derive) else step.cast).keys()
            return replace(self, names=added, renamed=tuple(_still_gone(self.renamed, added)))
        return self


def _still_gone(renamed: tuple[tuple[str, str], ...], names: frozenset[str]) -> list[tuple[str, str]]:
    return [(old, new) for old, new in renamed if old not in names]


def landed(model: LandedTable) -> PublishedColumns:
    """The columns of silver before its first step."""
    columns = model.silver.columns
    given = getattr(model.source, "column_names", None)
    moved = {source: name for name, column in columns.items() for source in column.sources if source not in columns}
    names = set(columns)
    if isinstance(given, tuple | list):
        names |= set(given) - moved.keys()
    return PublishedColumns(frozenset(names), isinstance(given, tuple | list), tuple(moved.items()))


def published(table: Table) -> PublishedColumns:
    """The columns that `table` publishes."""
    if not isinstance(table.model, LandedTable):
        return PublishedColumns()
    known = landed(table.model)
    for step in table.model.silver.transform:
        known = known.after(step)
    return known


def names_anew(step: AnyStep, column: str) -> bool:
    """Whether `column` may be of another type after the step."""
    made = step.derive if isinstance(step, Derive) else step.cast if isinstance(step, Cast) else {}
    return column in made or (isinstance(step, Rename) and column in {*step.rename, *step.rename.values()})
