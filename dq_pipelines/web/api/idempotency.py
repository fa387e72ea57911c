"""Requests that are to be done once, however often they are sent: each key that a caller gave, and what came of it.

A key is good for a day. It is written before the deed, so that of two requests at once, of two servers even, one does it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.config.database import Moment, database
from dq_pipelines.security.digest import digest

METADATA = sa.MetaData()
_DONE = sa.Table(
    "dq_done_once",
    METADATA,
    # a digest of who asks, for what, and their key
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("asked", sa.String(64), nullable=False),
    sa.Column("at", Moment, nullable=False),
    # null while it is being done
    sa.Column("result", sa.String(255)),
)

#: For how long a key is remembered.
MEMORY = timedelta(days=1)
#: After so long whoever was doing it is taken for dead.
_DEAD = timedelta(seconds=60)
#: Seconds for which another request waits for the one that is doing it.
_PATIENCE = 20.0


class KeyReused(Exception):
    """The key was given with another request before."""


class RequestUnderWay(Exception):
    """The same request is being done just now."""


@dataclass(frozen=True)
class IdempotentRequests:
    """The memory, in the database at this URL."""

    url: str

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError where that cannot be opened."""
        return database(self.url, METADATA, "keys of requests")

    def do(self, id: str, asked: str, deed: Callable[[], str], done_before: Callable[[], str | None]) -> str:
        """What the deed gave, now or when this id was first seen.

        `done_before` finds what a deed came to whose doer died before it could say so. Raises AnotherRequest where the id was
        seen with something else asked, UnderWay where it is being done and takes long; what the deed raises, after which the
        id is free again.
        """
        until = time.monotonic() + _PATIENCE
        while True:
            now = datetime.now(UTC)
            if self._claim(id, asked, now):
                break
            known = self._known(id)
            if known is None:
                continue
            if known["asked"] != asked:
                raise KeyReused
            if known["result"] is not None:
                return str(known["result"])
            if known["at"] < now - _DEAD and self._take_over(id, known["at"], now):
                if (found := done_before()) is not None:
                    return self._end(id, found)
                break
            if time.monotonic() > until:
                raise RequestUnderWay
            time.sleep(0.1)
        try:
            result = deed()
        except BaseException:
            with self.engine.begin() as connection:
                connection.execute(_DONE.delete().where(_DONE.c.id == id))
            raise
        return self._end(id, result)

    def _claim(self, id: str, asked: str, now: datetime) -> bool:
        try:
            with self.engine.begin() as connection:
                connection.execute(_DONE.delete().where(_DONE.c.at < now - MEMORY))
                connection.execute(_DONE.insert().values(id=id, asked=asked, at=now))
        except sa.exc.IntegrityError:
            return False
        return True

    def _take_over(self, id: str, since: datetime, now: datetime) -> bool:
        this = (_DONE.c.id == id) & (_DONE.c.at == since) & _DONE.c.result.is_(None)
        with self.engine.begin() as connection:
            return connection.execute(_DONE.update().where(this).values(at=now)).rowcount == 1

    def _known(self, id: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(_DONE.select().where(_DONE.c.id == id)).mappings().first()

    def _end(self, id: str, result: str) -> str:
        with self.engine.begin() as connection:
            connection.execute(_DONE.update().where(_DONE.c.id == id).values(result=result))
        return result


def mark_of(*parts: str | Mapping[str, Any]) -> str:
    """One digest of all of it."""
    return digest(json.dumps(parts, sort_keys=True))
