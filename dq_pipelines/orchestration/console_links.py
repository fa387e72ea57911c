"""Links from Dagster's assets and checks to their pages of the console, where its address is known."""

from __future__ import annotations

import os
from urllib.parse import quote

import dagster as dg

#: The address of the console: of another server, or a path on the server of Dagster's UI. `dq serve` sets it for the code
#: that it loads, unless it is set.
VARIABLE = "DQ_CONSOLE_URL"
#: The key of the link in metadata.
KEY = "dq/page"


def table_link(key: str) -> dict[str, dg.UrlMetadataValue]:
    """The page of a published table, as metadata of all its assets; empty where the console's address is not known."""
    return _link(f"tables/{quote(key)}")


def check_link(key: str, check: str) -> dict[str, dg.UrlMetadataValue]:
    """The page of a rule, as metadata of its check."""
    return _link(f"tables/{quote(key)}/rules/{quote(check, safe='')}")


def _link(path: str) -> dict[str, dg.UrlMetadataValue]:
    base = os.environ.get(VARIABLE, "").rstrip("/")
    return {KEY: dg.MetadataValue.url(f"{base}/{path}")} if base else {}
