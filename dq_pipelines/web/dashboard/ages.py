"""Classes of age for open rows in quarantine."""

from __future__ import annotations

from datetime import datetime

#: Youngest first.
AGES = ("under a day", "1 to 7 days", "7 to 30 days", "over 30 days")
_DAYS = (1, 7, 30)


def age_of(since: datetime | None, at: datetime) -> str:
    """The class in AGES; rows with an unknown landing time count as the oldest."""
    if since is None:
        return AGES[-1]
    days = (at - since).total_seconds() / 86_400
    return AGES[sum(days >= limit for limit in _DAYS)]
