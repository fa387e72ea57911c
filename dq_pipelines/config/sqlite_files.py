"""The file behind the address of a SQLite database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa


def sqlite_file(url: str | sa.URL) -> Path | None:
    """The file as the address has it; None for a database of another kind, and for one in memory."""
    parsed = sa.make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
