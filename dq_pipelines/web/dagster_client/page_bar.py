"""Puts the console's bar over Dagster's own pages, and answers 404 for addresses that are no page of Dagster.

Dagster's UI is one HTML file for all addresses. Its container is as tall as the window, so a style makes it shorter by the bar.
"""

from __future__ import annotations

from markupsafe import Markup

from dq_pipelines.web.navigation import Bar

#: The height of the bar over Dagster's pages, in pixels.
_HEIGHT = 37

#: What Dagster's HTML file contains, and where the bar goes: after the head's last element, and before the container.
_HEAD, _BODY = "</head>", '<body><div id="__next">'

_STYLE = f"""<style>
body {{ display: block !important; }}
body > .dq-bar {{ min-height: {_HEIGHT}px; height: {_HEIGHT}px; flex-wrap: nowrap; }}
body > .dq-bar .dq-brand, body > .dq-bar .dq-reader > :first-child {{ line-height: {_HEIGHT - 1}px; }}
body > .dq-bar li a {{ line-height: {_HEIGHT - 3}px; }}
@media (max-width: 46rem) {{ body > .dq-bar .dq-reader, body > .dq-bar .dq-search {{ display: none; }} body > .dq-bar ul {{ flex-wrap: nowrap; }} body > .dq-bar nav {{ order: 0; flex-basis: auto; margin: 0; }} }}
#__next > #root {{ height: calc(100vh - {_HEIGHT}px) !important; }}
</style>"""

#: The first parts of the addresses of Dagster's pages; the contract test reads them in Dagster's scripts.
PAGES = frozenset({
    "", "asset-groups", "assets", "automation", "concurrency", "config", "deployment", "graphs", "guess", "health", "jobs",
    "locations", "overview", "partitions", "playground", "runs", "settings", "snapshots", "instance", "workspace",
})  # fmt: skip


class UnknownPage(Exception):
    """Dagster's HTML file is not as it was: the bar has no place in it."""


def is_page(path: str) -> bool:
    """Whether the address is one of Dagster's pages."""
    return path.lstrip("/").partition("/")[0] in PAGES


def with_bar(page: str, bar: Bar, stylesheet: str) -> str:
    """Dagster's HTML file with the bar; `stylesheet` is the address of the bar's style. Raises UnknownPage."""
    if page.count(_HEAD) != 1 or page.count(_BODY) != 1:
        raise UnknownPage("wanted Dagster's page with one head and one container, got another page")
    link = Markup('<link rel="stylesheet" href="{}">').format(stylesheet)
    made = page.replace(_HEAD, f"{link}{_STYLE}{_HEAD}")
    return made.replace(_BODY, _BODY.replace("<body>", f"<body>{bar.html()}"))
