"""Finds what a reader looks for: tables, columns, rules and runs that they may view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dq_pipelines.project import Project, Table
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.rules.core.titles import title
from dq_pipelines.web.dashboard.listing import owners_of, tags_of
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext

#: Hits of one kind on the page; the page tells how many more there are.
LISTED = 30
#: Characters of a search.
LONGEST = 200

Found = TypeVar("Found")


@dataclass(frozen=True)
class TableHit:
    """A table whose name, description, owner, domain or tag has the words."""

    key: str
    domain: str
    description: str
    owners: Sequence[str]
    tags: Sequence[str]


@dataclass(frozen=True)
class ColumnHit:
    """A declared column whose name or description has the words."""

    table: str
    column: str
    type: str
    description: str


@dataclass(frozen=True)
class RuleHit:
    """A rule whose title, type or column has the words."""

    table: str
    check: str
    title: str
    type: str
    column: str


@dataclass(frozen=True)
class Hits(Generic[Found]):
    """What was found of one kind, the best first."""

    shown: Sequence[Found]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.shown)


@dataclass(frozen=True)
class SearchPage(PageContext):
    """The results of one search."""

    #: the text as it was searched for
    text: str
    tables: Hits[TableHit]
    columns: Hits[ColumnHit]
    rules: Hits[RuleHit]
    #: ids of runs that begin with the text
    runs: Sequence[str]

    @property
    def count(self) -> int:
        return self.tables.count + self.columns.count + self.rules.count + len(self.runs)

    @property
    def only_table(self) -> str:
        """The key of the table if its name is what was searched for and nothing else is; else ""."""
        exact = [one.key for one in self.tables.shown if self.text.lower() in _names(one.key)]
        return exact[0] if len(exact) == 1 and self.tables.count == 1 else ""


def search(visit: RequestContext, text: str, runs: Sequence[str] = ()) -> SearchPage:
    """What has all words of the text, in any case and order; nothing for an empty text."""
    text = text.strip()[:LONGEST]
    words = text.lower().split()
    index = _index_of(visit.known.project) if words else _Index()
    return SearchPage(
        visit,
        text,
        _best(words, (item for item in index.tables if visit.sees(item[0].key))),
        _best(words, (item for item in index.columns if visit.sees(item[0].table))),
        _best(words, (item for item in index.rules if visit.sees(item[0].table))),
        runs if words else (),
    )


#: What can be found, and the texts that are searched, the first of which is its name.
Item = tuple[Found, Sequence[str]]


@dataclass(frozen=True)
class _Index:
    """What can be found in one project."""

    project: Project | None = None
    tables: Sequence[Item[TableHit]] = ()
    columns: Sequence[Item[ColumnHit]] = ()
    rules: Sequence[Item[RuleHit]] = ()


#: The index of the last project: titles of 20,000 rules take 0.3 s, and a project changes seldom.
_made: list[_Index] = []


def _index_of(project: Project) -> _Index:
    for index in _made[:1]:
        if index.project is project:
            return index
    index = _Index(
        project,
        [(one, (one.key, *_about(one))) for one in map(_table_hit, project)],
        [(one, (one.column, one.description, one.table)) for one in _columns(project)],
        [(one, (one.title, one.type, one.column, one.table)) for one in _rules(project)],
    )
    _made[:] = [index]
    return index


def _best(words: Sequence[str], items: Iterable[Item[Found]]) -> Hits[Found]:
    """The items of which one text has all words, or each word is in some text; those whose own name has them come first.

    The first text of an item is its name. A hit in the table's name alone is no hit of its column or rule.
    """
    ranked = [
        (_rank(words, texts[0].lower()), number, item)
        for number, (item, texts) in enumerate(items)
        if _has(words, texts)
    ]
    ranked.sort(key=lambda one: one[:2])
    return Hits([item for _, _, item in ranked[:LISTED]], len(ranked))


def _has(words: Sequence[str], texts: Sequence[str]) -> bool:
    every = "\n".join(texts).lower()
    own = "\n".join(texts[:-1] or texts).lower()
    return all(word in every for word in words) and any(word in own for word in words)


def _rank(words: Sequence[str], name: str) -> int:
    """0 for the name itself, 1 for its beginning, 2 for a part of it, 3 for a hit elsewhere."""
    text = " ".join(words)
    if text in _names(name):
        return 0
    if any(one.startswith(text) for one in _names(name)):
        return 1
    return 2 if all(word in name for word in words) else 3


def _names(key: str) -> tuple[str, str]:
    """A key, and its name without the layer."""
    return key.lower(), key.rpartition("/")[2].lower()


def _table_hit(table: Table) -> TableHit:
    return TableHit(table.key, table.domain or "", table.model.description or "", owners_of(table), tags_of(table))


def _about(hit: TableHit) -> Iterator[str]:
    yield from (hit.domain, hit.description, *hit.owners, *hit.tags, "")


def _columns(tables: Iterable[Table]) -> Iterator[ColumnHit]:
    for table in tables:
        if not table.is_gold:
            for name, column in table.landed.silver.columns.items():
                yield ColumnHit(table.key, name, str(column.type), column.description or "")


def _rules(tables: Iterable[Table]) -> Iterator[RuleHit]:
    for table in tables:
        for check, rule in rules_by_check(table).items():
            yield RuleHit(table.key, check, title(rule), str(rule.type), rule.column_label or "")
