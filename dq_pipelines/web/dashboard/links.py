"""Builds the links of pages: to other pages of a server, or to anchors in the report's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from dq_pipelines.web.dashboard.files import VERSIONED
from dq_pipelines.web.dashboard.table_summary import SPAN


class Links(Protocol):
    """The addresses for templates; "" for a page that does not exist."""

    @property
    def home(self) -> str: ...

    @property
    def runs(self) -> str: ...

    @property
    def running(self) -> str: ...

    @property
    def partitions(self) -> str: ...

    @property
    def catalog(self) -> str: ...

    @property
    def alerts(self) -> str: ...

    @property
    def admin(self) -> str: ...

    @property
    def pipelines(self) -> str: ...

    def pipeline(self, name: str) -> str: ...

    @property
    def api(self) -> str: ...

    @property
    def quarantine(self) -> str: ...

    def refused(self, key: str, **filters: str | None) -> str: ...

    def table(self, key: str, tab: str = "", **more: str | None) -> str: ...

    def dagster_asset(self, key: str, check: str = "") -> str: ...

    def rule(self, key: str, check: str) -> str: ...

    def run(self, run_id: str) -> str: ...

    def shows_run(self, run_id: str) -> bool: ...

    def dagster_run(self, run_id: str) -> str: ...

    def file(self, name: str) -> str: ...

    def span(self, name: str, column: str | None = None, kept: Mapping[str, str] | None = None) -> str: ...

    def listing(self, parameters: Mapping[str, str], span: str) -> str: ...


@dataclass(frozen=True)
class Served:
    """Links of a server with the dashboard at `base`."""

    base: str
    #: the URL of Dagster's UI; "" for this server, None for a reader without access to it
    dagster: str | None = ""
    #: whether this server has a page for each run
    has_runs: bool = False
    #: whether a reader of some tables may view this run; None for a reader of all
    may_view_run: Callable[[str], bool] | None = None

    @property
    def home(self) -> str:
        return f"{self.base}/"

    @property
    def runs(self) -> str:
        """The page of runs; "" without one."""
        return f"{self.base}/runs" if self.has_runs else ""

    @property
    def running(self) -> str:
        """The part of the overview about runs that have not ended; "" without one."""
        return f"{self.base}/running" if self.has_runs else ""

    @property
    def partitions(self) -> str:
        """The address below which each table has a list of its partitions; "" without runs."""
        return f"{self.base}/partitions/" if self.has_runs else ""

    @property
    def catalog(self) -> str:
        """The page of all tables."""
        return f"{self.base}/catalog"

    @property
    def alerts(self) -> str:
        return f"{self.base}/alerts"

    @property
    def admin(self) -> str:
        return f"{self.base}/admin"

    @property
    def pipelines(self) -> str:
        """The page of all tables' files."""
        return f"{self.base}/pipelines"

    def pipeline(self, name: str) -> str:
        """The page of a table's file; of a new one without a name."""
        return f"{self.pipelines}/{quote(name, safe='')}" if name else f"{self.base}/new-pipeline"

    @property
    def api(self) -> str:
        return f"{self.base}/api"

    @property
    def quarantine(self) -> str:
        """The page of quarantine."""
        return f"{self.base}/quarantine"

    def refused(self, key: str, **filters: str | None) -> str:
        """The page of a table's refused rows."""
        query = urlencode({name: value for name, value in filters.items() if value})
        return f"{self.quarantine}/{_path(key)}{'?' if query else ''}{query}"

    def table(self, key: str, tab: str = "", **more: str | None) -> str:
        """The page of a table, or of one of its tabs."""
        query = urlencode({name: value for name, value in {"tab": tab, **more}.items() if value})
        return f"{self.base}/tables/{_path(key)}{'?' if query else ''}{query}"

    def dagster_asset(self, key: str, check: str = "") -> str:
        """The page of a table or of its check in Dagster; "" where it is not served, or for a reader without access to it."""
        is_served = self.dagster is not None and (self.dagster or self.has_runs)
        query = f"?{urlencode({'view': 'checks', 'checkDetail': check})}" if check else ""
        return f"{self.dagster}/assets/{_path(key)}{query}" if is_served else ""

    def rule(self, key: str, check: str) -> str:
        return f"{self.table(key)}/rules/{quote(check, safe='')}"

    def run(self, run_id: str) -> str:
        """The run's page on the dashboard if there is one, else in Dagster's UI."""
        return f"{self.base}/runs/{quote(run_id, safe='')}" if self.has_runs else self.dagster_run(run_id)

    def shows_run(self, run_id: str) -> bool:
        """Whether the run's page answers the reader: a run of other tables, too, has none for a reader of some."""
        return self.may_view_run is None or self.may_view_run(run_id)

    def dagster_run(self, run_id: str) -> str:
        return "" if self.dagster is None else f"{self.dagster}/runs/{quote(run_id, safe='')}"

    def file(self, name: str) -> str:
        return f"{self.base}/files/{VERSIONED[name]}"

    def span(self, name: str, column: str | None = None, kept: Mapping[str, str] | None = None) -> str:
        """The same page with another time range; `kept` are further parameters of its address."""
        return "?" + urlencode({"days": name, **({"column": column} if column else {}), **(kept or {})})

    def listing(self, parameters: Mapping[str, str], span: str) -> str:
        """The overview with these tables."""
        kept = {"days": span} if span != SPAN else {}
        return f"{self.home}?{urlencode({**parameters, **kept})}" if parameters or kept else self.home


@dataclass(frozen=True)
class OnePage:
    """Links within the report's file, and to Dagster's UI if its URL is known."""

    dagster: str = ""
    home: str = "#top"
    runs: str = ""
    running: str = ""
    partitions: str = ""
    catalog: str = ""
    alerts: str = ""
    admin: str = ""
    pipelines: str = ""
    api: str = ""
    quarantine: str = ""

    def refused(self, key: str, **filters: str | None) -> str:
        return ""

    def pipeline(self, name: str) -> str:
        return ""

    def table(self, key: str, tab: str = "", **more: str | None) -> str:
        return f"#{slug(key)}"

    def dagster_asset(self, key: str, check: str = "") -> str:
        return ""

    def rule(self, key: str, check: str) -> str:
        return f"#{slug(key)}"

    def run(self, run_id: str) -> str:
        return self.dagster_run(run_id)

    def shows_run(self, run_id: str) -> bool:
        return True

    def dagster_run(self, run_id: str) -> str:
        return f"{self.dagster}/runs/{quote(run_id, safe='')}" if self.dagster else ""

    def file(self, name: str) -> str:
        return ""

    def span(self, name: str, column: str | None = None, kept: Mapping[str, str] | None = None) -> str:
        return ""

    def listing(self, parameters: Mapping[str, str], span: str) -> str:
        return ""


def _path(key: str) -> str:
    layer, _, name = key.partition("/")
    return f"{quote(layer, safe='')}/{quote(name, safe='')}"


def slug(text: str) -> str:
    """`text` as an element's id of letters, digits, `-` and `_`; different texts give different ids."""
    return re.sub(r"[^A-Za-z0-9_]", lambda found: "-" if found[0] == "/" else f"-{ord(found[0]):x}", text)
