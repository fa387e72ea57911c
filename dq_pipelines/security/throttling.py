"""Throttles wrong passwords and codes by user name and origin.

A known browser of a user is counted separately, so that strangers' attempts do not delay the owner
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies). Other attempts are counted by address and name.
After many wrong ones, every stranger's attempt for that name takes longer. So nobody can lock out others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from dq_pipelines.security.digest import digest
from dq_pipelines.security.store import WRONG_TRIES

#: Wrong attempts for one name from one address before it has to wait; each further one doubles the wait.
FREE_TRIES = 5
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
#: Wrong attempts for one name from all addresses before each further one by a stranger is delayed; the delays in seconds.
FREE_FOR_ALL, FIRST_DELAY, LONGEST_DELAY = 20, 0.5, 8.0
#: The time after the last wrong attempt at which the count is reset.
FORGOTTEN = timedelta(hours=12)


@dataclass(frozen=True)
class Origin:
    """Where an attempt comes from."""

    address: str = ""
    #: the id of a browser in which this user has logged in before; None for any other
    device: str | None = None


class Throttle:
    """The counts of wrong attempts of one kind (`password`, `code`), in the users' database."""

    def __init__(self, engine: sa.Engine, kind: str) -> None:
        self._engine = engine
        self._kind = kind

    def must_wait(self, name: str, origin: Origin) -> bool:
        """Whether an attempt for this name from this origin is refused now without a check."""
        count = self._count(self._own(name, origin))
        if count is None or count[0] < FREE_TRIES:
            return False
        wait = min(FIRST_WAIT * 2 ** min(count[0] - FREE_TRIES, 10), LONGEST_WAIT)
        return bool(count[1] + wait > datetime.now(UTC))

    def delay(self, name: str, origin: Origin) -> float:
        """Seconds by which strangers' wrong attempts delay one for this name; 0 for a known device."""
        count = self._count(self._all(name)) if origin.device is None else None
        if count is None or count[0] < FREE_FOR_ALL:
            return 0.0
        return min(FIRST_DELAY * 2.0 ** min(count[0] - FREE_FOR_ALL, 10), LONGEST_DELAY)

    def wrong(self, name: str, origin: Origin) -> int:
        """Count a wrong attempt; returns the number in a row from this origin."""
        keys = [self._own(name, origin), *([self._all(name)] if origin.device is None else [])]
        now, column = datetime.now(UTC), WRONG_TRIES.c
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(column.last_at < now - FORGOTTEN))
            for key in keys:
                # The database increments, so that concurrent attempts are all counted.
                more = WRONG_TRIES.update().where(column.id == key).values(failures=column.failures + 1, last_at=now)
                if connection.execute(more).rowcount == 0:
                    self._begin(connection, key, name, now)
            return int(connection.execute(sa.select(column.failures).where(column.id == keys[0])).scalar_one())

    def right(self, name: str, origin: Origin) -> None:
        """Reset the count of this origin."""
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(WRONG_TRIES.c.id == self._own(name, origin)))

    def forget(self, name: str) -> None:
        """Reset every count of this name."""
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(WRONG_TRIES.c.name == digest(name)))

    def _begin(self, connection: sa.Connection, key: str, name: str, now: datetime) -> None:
        row = {"id": key, "name": digest(name), "failures": 1, "last_at": now}
        try:
            with connection.begin_nested():
                connection.execute(WRONG_TRIES.insert().values(**row))
        except sa.exc.IntegrityError:  # inserted concurrently
            more = WRONG_TRIES.update().where(WRONG_TRIES.c.id == key)
            connection.execute(more.values(failures=WRONG_TRIES.c.failures + 1, last_at=now))

    def _count(self, key: str) -> tuple[int, datetime] | None:
        wanted = sa.select(WRONG_TRIES.c.failures, WRONG_TRIES.c.last_at).where(WRONG_TRIES.c.id == key)
        with self._engine.connect() as connection:
            row = connection.execute(wanted).first()
        return None if row is None or row[1] < datetime.now(UTC) - FORGOTTEN else (row[0], row[1])

    def _own(self, name: str, origin: Origin) -> str:
        where = f"address {origin.address}" if origin.device is None else f"device {origin.device}"
        return digest(f"{self._kind} {where} {name}")

    def _all(self, name: str) -> str:
        return digest(f"{self._kind} all {name}")
