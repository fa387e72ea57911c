"""Renders the dashboard's views as one self-contained HTML file with the current status of every table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from dq_pipelines.errors import PublishError
from dq_pipelines.web.dashboard import files
from dq_pipelines.web.dashboard.links import OnePage
from dq_pipelines.web.dashboard.overview import briefs, overview
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.dashboard.templating import rendered


def report(site: Site, tables: Sequence[str] | None = None) -> str:
    """The HTML page about all tables, or about some (`silver/<name>`)."""
    first = overview(RequestContext.of(site, site.known(), tables))
    styles = Markup(files.content("dashboard.css").decode())  # noqa: S704 - the package's own
    # An inline script ends at the first "</script", even within a string.
    texts = (files.content(name).decode().replace("</script", "<\\/script") for name in (files.PLOTLY, "dashboard.js"))
    scripts = [Markup(text) for text in texts]  # noqa: S704 - the package's own, and Plotly's
    return rendered("report", first, OnePage(site.dagster_url), tables=briefs(first), styles=styles, scripts=scripts)


def write(site: Site, path: Path, tables: Sequence[str] | None = None) -> None:
    """Write the report to a file. Raises PublishError if it cannot be written."""
    page = report(site, tables)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise PublishError(f"{path}: wanted to write the report, got {error.strerror}") from None
    print(f"wrote {path}", file=sys.stderr)
