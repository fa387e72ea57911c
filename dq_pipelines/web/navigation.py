"""The sections of the console, and the bar on every page that links to them, Dagster's pages included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dq_pipelines.security.roles import Permission

#: Where the console is served.
CONSOLE = "/dashboard"
#: The name of the product, in titles and in the bar.
PRODUCT = "Data quality"


@dataclass(frozen=True)
class Section:
    """A section of the console."""

    name: str
    #: the path of its first page, below the console's own
    path: str
    #: what a reader must be allowed, on some table at least
    permission: Permission = Permission.LOOK
    #: whether it needs a server that hosts Dagster
    needs_dagster: bool = False
    #: whether a reader must be allowed it on all tables
    everywhere: bool = False


OVERVIEW = Section("Overview", "/")
CATALOG = Section("Catalog", "/catalog")
RUNS = Section("Runs", "/runs", needs_dagster=True)
QUARANTINE = Section("Quarantine", "/quarantine")
ALERTS = Section("Alerts", "/alerts")
PIPELINES = Section("Pipelines", "/pipelines")
ADMIN = Section("Admin", "/admin", Permission.ADMIN, everywhere=True)

#: The page of a new pipeline, which is in no bar.
EDITING = Section("New pipeline", "/new-pipeline", Permission.EDIT)

#: All sections, in the order of the bar.
SECTIONS = (OVERVIEW, CATALOG, RUNS, QUARANTINE, ALERTS, PIPELINES, ADMIN)
#: Dagster's own pages, which are no section of the console.
DAGSTER = Section("Dagster", "/", needs_dagster=True)


@dataclass(frozen=True)
class Reader:
    """A user who views a page."""

    name: str
    #: the roles as text
    roles: str
    #: whether the user may view all tables
    sees_all: bool
    #: the addresses to log out and of the account page; "" for a program with a key or token
    logout: str = ""
    account: str = ""


@dataclass(frozen=True)
class BarLink:
    """A link of the bar."""

    name: str
    href: str
    is_current: bool = False

    def html(self) -> Markup:
        current = Markup(' aria-current="page"') if self.is_current else ""
        return Markup('<li><a href="{}"{}>{}</a></li>').format(self.href, current, self.name)


@dataclass(frozen=True)
class Bar:
    """The bar of one page."""

    #: the address of the console
    console: str
    links: Sequence[BarLink]
    #: None while there are no users
    reader: Reader | None

    @property
    def stylesheet(self) -> str:
        """The address of the bar's style, for pages that are none of the console's."""
        return f"{self.console}/files/bar.css"

    @classmethod
    def of(
        cls,
        console: str,
        reader: Reader | None,
        may: Callable[[Section], bool],
        *,
        dagster: str,
        hosts_dagster: bool,
        current: Section | None = None,
    ) -> Bar:
        """The bar of a page.

        `console` is the address of the console, `may` tells whether the reader may open a section, and `dagster` is
        the address of Dagster's UI ("" for this server). Dagster shows all tables, so only readers of all get a link to it.
        """
        links = [
            BarLink(section.name, console + section.path, section is current)
            for section in SECTIONS
            if may(section) and (hosts_dagster or not section.needs_dagster)
        ]
        if (dagster or hosts_dagster) and (reader is None or reader.sees_all):
            links.append(BarLink(DAGSTER.name, f"{dagster}{DAGSTER.path}", current is DAGSTER))
        return cls(console, links, reader)

    def html(self, status: Markup | None = None) -> Markup:
        """The bar as an element; `status` stands before the user, such as whether the page is live."""
        return Markup(
            '<header class="dq-bar"><a class="dq-brand" href="{}/">{}</a><nav aria-label="Sections"><ul>{}</ul></nav>{}{}{}</header>'
        ).format(
            self.console,
            PRODUCT,
            Markup("").join(one.html() for one in self.links),
            self._search(),
            status or "",
            self._user(),
        )

    def _search(self) -> Markup:
        return Markup(
            '<form class="dq-search" role="search" action="{}/search"><input type="search" name="q" required maxlength="200" '
            'placeholder="Search ( / )" aria-label="Search tables, columns, rules and runs" aria-keyshortcuts="/" autocomplete="off"></form>'
        ).format(self.console)

    def _user(self) -> Markup:
        reader = self.reader
        if reader is None:
            return Markup("")
        name = Markup('<a href="{}" title="{}">{}</a>').format(reader.account, reader.roles, reader.name)
        if not reader.account:
            name = Markup('<span title="{}">{}</span>').format(reader.roles, reader.name)
        leave = Markup('<form method="post" action="{}"><button>Log out</button></form>').format(reader.logout)
        return Markup('<div class="dq-reader">{}{}</div>').format(name, leave if reader.logout else "")
