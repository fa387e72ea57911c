"""Idempotency keys: a request that is repeated with the same key runs once, and all repetitions get its result.

A key is remembered for a day. It is stored before the request runs, so that of two simultaneous requests only one runs, even
on two servers.
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
    # a digest of caller, resource and key
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("asked", sa.String(64), nullable=False),
    sa.Column("at", Moment, nullable=False),
    # null while the request runs
    sa.Column("result", sa.String(255)),
)

#: How long a key is remembered.
MEMORY = timedelta(days=1)
#: How long a request may run before its server counts as dead.
_DEAD = timedelta(seconds=60)
#: Seconds for which a repeated request waits for the first one.
_PATIENCE = 20.0


class KeyReused(Exception):
    """The key was used with another request before."""


class RequestUnderWay(Exception):
    """The same request is under way."""


@dataclass(frozen=True)
class IdempotentRequests:
    """The store of idempotency keys, in the database at this URL."""

    url: str

    @cached_property
    def engine(self) -> sa.Engine:
        """The database. Raises PublishError if it cannot be opened."""
        return database(self.url, METADATA, "keys of requests")

    def run_once(self, id: str, asked: str, action: Callable[[], str], done_before: Callable[[], str | None]) -> str:
        """Run the action, or return its earlier result if this id was seen before.

        `asked` is a digest of the request. `done_before` looks for the result of an action whose server died before it stored
        one. Raises KeyReused if the id was seen with another request, and RequestUnderWay if the first request takes too
        long. If the action raises, the id is free again.
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
                if (earlier := done_before()) is not None:
                    return self._end(id, earlier)
                break
            if time.monotonic() > until:
                raise RequestUnderWay
            time.sleep(0.1)
        try:
            result = action()
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
    """A digest of all parts."""
    return digest(json.dumps(parts, sort_keys=True))
