"""Where a page's links lead: to other pages of a server, or to other places of one file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from dq_pipelines.web.dashboard.files import VERSIONED


class Links(Protocol):
    """The addresses that templates write; "" where there is no such place."""

    @property
    def home(self) -> str: ...

    def table(self, key: str) -> str: ...

    def rule(self, key: str, check: str) -> str: ...

    def run(self, run_id: str) -> str: ...

    def dagster_run(self, run_id: str) -> str: ...

    def file(self, name: str) -> str: ...

    def span(self, name: str, column: str | None = None) -> str: ...


@dataclass(frozen=True)
class Served:
    """Pages of a server that has the dashboard at `base`."""

    base: str
    #: where Dagster's UI is; "" for the same address, None for a reader whom it does not let in
    dagster: str | None = ""
    #: whether this server knows Dagster's runs, and has a page for each
    has_runs: bool = False

    @property
    def home(self) -> str:
        return f"{self.base}/"

    def table(self, key: str) -> str:
        layer, _, name = key.partition("/")
        return f"{self.base}/tables/{quote(layer, safe='')}/{quote(name, safe='')}"

    def rule(self, key: str, check: str) -> str:
        return f"{self.table(key)}/rules/{quote(check, safe='')}"

    def run(self, run_id: str) -> str:
        """The run's own page where there is one, else Dagster's."""
        return f"{self.base}/runs/{quote(run_id, safe='')}" if self.has_runs else self.dagster_run(run_id)

    def dagster_run(self, run_id: str) -> str:
        return "" if self.dagster is None else f"{self.dagster}/runs/{quote(run_id, safe='')}"

    def file(self, name: str) -> str:
        return f"{self.base}/files/{VERSIONED[name]}"

    def span(self, name: str, column: str | None = None) -> str:
        return "?" + urlencode({"days": name} | ({"column": column} if column else {}))


@dataclass(frozen=True)
class OnePage:
    """Places of one file; to Dagster only where its address was told."""

    dagster: str = ""
    home: str = "#top"

    def table(self, key: str) -> str:
        return f"#{slug(key)}"

    def rule(self, key: str, check: str) -> str:
        return f"#{slug(key)}"

    def run(self, run_id: str) -> str:
        return self.dagster_run(run_id)

    def dagster_run(self, run_id: str) -> str:
        return f"{self.dagster}/runs/{quote(run_id, safe='')}" if self.dagster else ""

    def file(self, name: str) -> str:
        return ""

    def span(self, name: str, column: str | None = None) -> str:
        return ""


def slug(text: str) -> str:
    """`text` as the id of an element: letters, digits, `-` and `_` alone, different for different texts that have them."""
    return re.sub(r"[^A-Za-z0-9_]", lambda found: "-" if found[0] == "/" else f"-{ord(found[0]):x}", text)
