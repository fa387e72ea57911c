"""How the tables of users, keys and the audit log of earlier releases become today's. What today's are is said in `store`, and in
the files that keep tables of their own beside it.

Whoever changes one of them adds a migration here: a database that has today's version is taken as it is.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.security.devices import DEVICES
from dq_pipelines.security.second_factor import RECOVERY, TOTP
from dq_pipelines.security.store import METADATA, USERS
from dq_pipelines.security.throttling import WRONG_TRIES

#: Named, so that none is forgotten: a table is known once the file that keeps it is imported.
_BESIDE = (DEVICES, RECOVERY, TOTP, WRONG_TRIES)


def _from_before_versions(connection: sa.Connection) -> None:
    """Until there were versions, releases only added tables, indexes and columns that may be null."""
    add_what_lacks(connection, METADATA)


def _without_locks(connection: sa.Connection) -> None:
    """A name was locked after wrong tries; they are counted in a table of their own since, where nobody locks others out."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(USERS.name)}
    for name in sorted(there & {"failures", "locked_until"}):
        connection.exec_driver_sql(f"ALTER TABLE {USERS.name} DROP COLUMN {name}")


SCHEMA = Schema("users", METADATA, (_from_before_versions, _without_locks))
