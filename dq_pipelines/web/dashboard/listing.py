"""Which tables the overview lists: searched, filtered, sorted and in pages, as the page's address says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, get_args

from dq_pipelines.history.store.status import STATUSES, Status
from dq_pipelines.project import LeftOut, Table
from dq_pipelines.web.dashboard.table_summary import TableSummary

#: Tables of one page.
PAGE = 50

#: Orders of the list by their name in the address, each with its name on the page and its key.
SORTS: Mapping[str, tuple[str, Callable[[TableSummary], Any]]] = {
    "status": ("worst first", lambda one: one.rank),
    "table": ("name", lambda one: one.standing.table),
    "score": ("lowest score", lambda one: (one.standing.score is None, one.standing.score, one.standing.table)),
    "failed": ("most rules failing", lambda one: (-len(one.failing), one.standing.table)),
    "latest": ("last run first", lambda one: (-one.last_at, one.standing.table)),
    "rows": ("most rows in", lambda one: (-one.standing.rows_in, one.standing.table)),
}
Item = TypeVar("Item")


@dataclass(frozen=True)
class Listing:
    """The search, filters, order and page of one request; "" for no filter."""

    #: text within the key, the description or an owner, in any case
    search: str = ""
    domain: str = ""
    owner: str = ""
    #: a tag's name, or `name=value`
    tag: str = ""
    status: Status | None = None
    sort: str = "status"
    #: from 1
    page: int = 1

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Self:
        """The listing of an address; a value that is none of the possible ones is ignored."""
        number = asked.get("page", "")
        status = next((one for one in get_args(Status) if one == asked.get("status")), None)
        sort = asked.get("sort", "status")
        return cls(
            asked.get("search", "").strip(),
            asked.get("domain", ""),
            asked.get("owner", ""),
            asked.get("tag", ""),
            status,
            sort if sort in SORTS else "status",
            max(int(number), 1) if number.isdecimal() and len(number) < 7 else 1,
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The listing as parameters of an address, without those that have their default."""
        named = {name: getattr(self, name) for name in ("search", "domain", "owner", "tag", "status")}
        more = {"sort": self.sort} if self.sort != "status" else {}
        page = {"page": str(self.page)} if self.page > 1 else {}
        return {name: value for name, value in named.items() if value} | more | page

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.domain or self.owner or self.tag or self.status)

    def has(self, key: str, table: Table | LeftOut | None) -> bool:
        """Whether a table of this key is searched for, whatever its status."""
        if not (self.search or self.domain or self.owner or self.tag):
            return True
        owners = owners_of(table)
        if (self.domain and (table is None or table.domain != self.domain)) or (
            self.owner and self.owner not in owners
        ):
            return False
        if self.tag and self.tag not in {*tags_of(table), *(tag.partition("=")[0] for tag in tags_of(table))}:
            return False
        description = (table.model.description or "") if isinstance(table, Table) else ""
        return self.search.lower() in "\n".join((key, description, *owners)).lower()

    def has_status(self, status: Status) -> bool:
        return self.status in (None, status)

    def matching(self, summaries: Iterable[TableSummary], known: Mapping[str, Table | LeftOut]) -> list[TableSummary]:
        """The summaries of tables that are searched for; `known` are the tables of the project, by key."""
        return [
            one
            for one in summaries
            if self.has_status(one.status) and self.has(one.standing.table, known.get(one.standing.table))
        ]

    def in_order(self, summaries: Iterable[TableSummary]) -> list[TableSummary]:
        return sorted(summaries, key=SORTS[self.sort][1])

    def page_of(self, items: Sequence[Item]) -> tuple[Listing, Sequence[Item]]:
        """The items of this page, and the listing with the page: the last one, if there are fewer."""
        page = min(self.page, self.pages(len(items)))
        return replace(self, page=page), items[(page - 1) * PAGE : page * PAGE]

    @staticmethod
    def pages(count: int) -> int:
        """The number of pages of so many tables; at least 1."""
        return max(1, -(-count // PAGE))

    def at_page(self, page: int) -> dict[str, str]:
        """The parameters of another page of the same list."""
        return replace(self, page=page).parameters

    def with_status(self, status: Status) -> dict[str, str]:
        """The parameters of the first page of these tables with another status."""
        return replace(self, status=status, page=1).parameters


@dataclass(frozen=True)
class Choices:
    """What the filters can be set to."""

    domains: Sequence[str]
    owners: Sequence[str]
    tags: Sequence[str]
    statuses: Sequence[Status] = STATUSES

    @classmethod
    def of(cls, tables: Iterable[Table | LeftOut]) -> Self:
        known = list(tables)
        return cls(
            sorted({table.domain for table in known if table.domain}),
            sorted({owner for table in known for owner in owners_of(table)}),
            sorted({tag for table in known for tag in tags_of(table)}),
        )


def owners_of(table: Table | LeftOut | None) -> Sequence[str]:
    if table is None:
        return ()
    return table.model.owners if isinstance(table, Table) else table.owners


def tags_of(table: Table | LeftOut | None) -> Sequence[str]:
    """The tags of a table as `name` or `name=value`; of a table that is left out they are not known."""
    if not isinstance(table, Table):
        return ()
    return [f"{name}={value}" if value else name for name, value in table.model.tags.items()]
