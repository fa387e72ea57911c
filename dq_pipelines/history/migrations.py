"""How the history's tables of earlier releases become today's. What today's are is said in `schema`.

Whoever changes `schema` adds a migration here: a database that has today's version is taken as it is.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.history.schema import METADATA


def _from_before_versions(connection: sa.Connection) -> None:
    """Until there were versions, releases only added tables, indexes and columns that may be null."""
    add_what_lacks(connection, METADATA)


SCHEMA = Schema("history", METADATA, (_from_before_versions,))
