"""Finds the file of a SQLite URL."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa


def sqlite_file(url: str | sa.URL) -> Path | None:
    """The path in the URL; None for another kind of database, and for one in memory."""
    parsed = sa.make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
