"""Wrong passwords and codes: who has to wait before the next try, by name and by where they try from.

A browser in which a name has logged in before is counted by itself, so that strangers' tries do not slow the owner down
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies). Everybody else waits by address and name
together, and from a certain number on every try of that name by strangers takes longer: none is locked out by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from dq_pipelines.security.digest import digest
from dq_pipelines.security.store import WRONG_TRIES

#: Wrong tries from one address by one name after which it has to wait: each further one doubles the wait.
FREE_TRIES = 5
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
#: Wrong tries by one name, whatever the addresses, after which each further try of a stranger takes longer, in seconds.
FREE_FOR_ALL, FIRST_DELAY, LONGEST_DELAY = 20, 0.5, 8.0
#: So long after the last wrong one they are forgotten.
FORGOTTEN = timedelta(hours=12)


@dataclass(frozen=True)
class Origin:
    """Where a try comes from."""

    address: str = ""
    #: of a browser in which this name has logged in before; None for any other
    device: str | None = None


class Throttle:
    """The count of wrong tries of one kind (`password`, `code`), in the users' database."""

    def __init__(self, engine: sa.Engine, kind: str) -> None:
        self._engine = engine
        self._kind = kind

    def must_wait(self, name: str, origin: Origin) -> bool:
        """Whether the next try of this name from there is refused unseen, for the time being."""
        found = self._count(self._own(name, origin))
        if found is None or found[0] < FREE_TRIES:
            return False
        wait = min(FIRST_WAIT * 2 ** min(found[0] - FREE_TRIES, 10), LONGEST_WAIT)
        return bool(found[1] + wait > datetime.now(UTC))

    def delay(self, name: str, origin: Origin) -> float:
        """Seconds that a try of this name takes longer because of strangers' wrong ones; 0 for a known device."""
        found = self._count(self._all(name)) if origin.device is None else None
        if found is None or found[0] < FREE_FOR_ALL:
            return 0.0
        return min(FIRST_DELAY * 2.0 ** min(found[0] - FREE_FOR_ALL, 10), LONGEST_DELAY)

    def wrong(self, name: str, origin: Origin) -> int:
        """Note a wrong try; gives how many there were in a row from there."""
        keys = [self._own(name, origin), *([self._all(name)] if origin.device is None else [])]
        now, those = datetime.now(UTC), WRONG_TRIES.c
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(those.last_at < now - FORGOTTEN))
            for key in keys:
                # Counted by the database, so that many at once are not counted as one.
                more = WRONG_TRIES.update().where(those.id == key).values(failures=those.failures + 1, last_at=now)
                if connection.execute(more).rowcount == 0:
                    self._begin(connection, key, name, now)
            return int(connection.execute(sa.select(those.failures).where(those.id == keys[0])).scalar_one())

    def right(self, name: str, origin: Origin) -> None:
        """Begin the count from there anew."""
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(WRONG_TRIES.c.id == self._own(name, origin)))

    def forget(self, name: str) -> None:
        """Begin every count of this name anew."""
        with self._engine.begin() as connection:
            connection.execute(WRONG_TRIES.delete().where(WRONG_TRIES.c.name == digest(name)))

    def _begin(self, connection: sa.Connection, key: str, name: str, now: datetime) -> None:
        row = {"id": key, "name": digest(name), "failures": 1, "last_at": now}
        try:
            with connection.begin_nested():
                connection.execute(WRONG_TRIES.insert().values(**row))
        except sa.exc.IntegrityError:  # another began it at the same time
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
