"""Lists Dagster's runs, newest first, page by page, with the runs that a caller may view."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client.run_tables import may, tables_of

#: Runs that are searched for one page at most, if Dagster's database cannot filter them.
_MOST = 1000
_CHUNK = 200
#: The beginning of a run's id.
_ID = re.compile(r"[0-9a-fA-F]{4}[0-9a-fA-F-]{0,32}")


@dataclass(frozen=True)
class RunQuery:
    """The wanted runs; by default all."""

    statuses: Sequence[dg.DagsterRunStatus] = ()
    job: str | None = None
    #: the key of a table, as `silver/sales`
    table: str | None = None
    #: the user who launched them
    user: str | None = None
    partition: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def filter(self) -> dg.RunsFilter:
        """The part of the query that Dagster's database evaluates: all but the table."""
        tags = {USER_TAG: self.user, "dagster/partition": self.partition}
        return dg.RunsFilter(
            statuses=list(self.statuses),
            job_name=self.job,
            tags={name: value for name, value in tags.items() if value is not None},
            created_after=self.created_after,
            created_before=self.created_before,
        )


#: A run and its time of creation: the next page begins after it.
Place = tuple[str, datetime]


def runs_page(
    instance: dg.DagsterInstance, rights: Rights, query: RunQuery, limit: int, place: Place | None = None
) -> tuple[list[RunRecord], Place | None]:
    """The runs of one page, and the place after which the next page begins; None after the last page.

    A page of a caller with scoped rights, or of one table, may have fewer runs than `limit` before the last page.
    """
    sifts = query.table is not None or not rights.may_everywhere(Permission.LOOK)
    found: list[RunRecord] = []
    for looked, record in enumerate(_from(instance, query, place, _CHUNK if sifts else limit + 1)):
        if len(found) == limit or looked == _MOST:
            return found, place
        place = (record.dagster_run.run_id, record.create_timestamp)
        about = tables_of(record.dagster_run, rights.project) if sifts else ()
        if not sifts or (
            may(rights, Permission.LOOK, record.dagster_run) and (query.table is None or query.table in about)
        ):
            found.append(record)
    return found, None


def _from(instance: dg.DagsterInstance, query: RunQuery, place: Place | None, chunk: int) -> Iterator[RunRecord]:
    """The runs after this place, newest first, queried in chunks of `chunk`."""
    filters = query.filter()
    records = instance.get_run_records(filters, limit=chunk, cursor=place[0] if place else None)
    if place is not None and not records and instance.get_run_by_id(place[0]) is None:
        # The run at this place was purged meanwhile: continue by its time of creation.
        before = min(filter(None, (query.created_before, place[1])))
        filters = replace(query, created_before=before).filter()
        records = instance.get_run_records(filters, limit=chunk)
    while records:
        yield from records
        if len(records) < chunk:
            return
        records = instance.get_run_records(filters, limit=chunk, cursor=records[-1].dagster_run.run_id)


def runs_by_id(instance: dg.DagsterInstance, rights: Rights, start: str) -> list[str]:
    """The ids of recent runs that begin with this text of at least four hexadecimal digits, and that the caller may view."""
    if not _ID.fullmatch(start):
        return []
    ids = [run_id for run_id in instance.get_run_ids(limit=_MOST) if run_id.startswith(start.lower())]
    runs = instance.get_runs(dg.RunsFilter(run_ids=ids)) if ids else []
    return [run.run_id for run in runs if may(rights, Permission.LOOK, run)]


def may_view_run(instance: dg.DagsterInstance, rights: Rights, run_id: str) -> bool:
    """Whether Dagster knows the run, and the caller may view all its tables."""
    run = instance.get_run_by_id(run_id)
    return run is not None and may(rights, Permission.LOOK, run)
