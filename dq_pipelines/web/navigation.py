"""The sections of the console, and the links to them in the bar of every page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dq_pipelines.security.roles import Permission

#: Where the console is served.
CONSOLE = "/dashboard"


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


OVERVIEW = Section("Overview", "/")
RUNS = Section("Runs", "/runs", needs_dagster=True)

#: All sections, in the order of the bar.
SECTIONS = (OVERVIEW, RUNS)


@dataclass(frozen=True)
class BarLink:
    """A link of the bar."""

    name: str
    href: str
    is_current: bool = False


def bar_links(
    console: str,
    may: Callable[[Permission], bool],
    *,
    dagster: str | None,
    hosts_dagster: bool,
    current: Section | None = None,
) -> list[BarLink]:
    """The links of the bar.

    `console` is the address of the console, `may` tells what the reader may do on some table at least. `dagster` is the
    address of Dagster's UI ("" for this server); None for a reader without access to it.
    """
    links = [
        BarLink(section.name, console + section.path, section is current)
        for section in SECTIONS
        if may(section.permission) and (hosts_dagster or not section.needs_dagster)
    ]
    if dagster or (hosts_dagster and dagster is not None):
        links.append(BarLink("Dagster", f"{dagster}/"))
    return links
