"""How maintenance runs ended is in the audit log, once, whichever server was there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import dagster as dg

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.state import State
from dq_pipelines.web.dagster_client.ended_maintenance import ENDED, EndedMaintenance


class Runs:
    """Dagster's records of runs, as far as they are asked."""

    def __init__(self) -> None:
        self.statuses: dict[str, dg.DagsterRunStatus] = {}

    def get_run_by_id(self, run_id: str) -> dg.DagsterRun | None:
        status = self.statuses.get(run_id)
        return None if status is None else dg.DagsterRun(job_name="j", run_id=run_id, status=status)


def test_each_end_has_one_line_with_who_started_it(tmp_path: Path) -> None:
    log, runs, now = AuditLog(State.at(tmp_path / "state").made()), Runs(), threading.Event()

    def server() -> EndedMaintenance:
        return EndedMaintenance(cast("Any", runs), log)

    def ends() -> list[tuple[str, str, str, str]]:
        return [(e.who, e.on, e.result, str(e.more["run"])) for _, e in log.events() if e.what == ENDED]

    first = server()
    log.add(Event("ada", "maintenance.erase", "sales", "here", "done", {"dry_run": True}))
    for number, what in enumerate(("maintenance.run", "maintenance.restore", "maintenance.backup")):
        log.add(Event("ada", what, f"on {number}", "here", "done", {"run": f"r{number}"}))
        runs.statuses[f"r{number}"] = dg.DagsterRunStatus.STARTED
    log.add(Event("ada", "maintenance.run", "retention", "here", "refused", {}))
    first.look(now)
    assert ends() == []
    runs.statuses["r0"] = dg.DagsterRunStatus.FAILURE
    first.look(now)
    first.look(now)
    assert ends() == [("ada", "on 0", "failed", "r0")]
    runs.statuses["r1"] = dg.DagsterRunStatus.CANCELED
    second = server()  # after a restart
    second.look(now)
    first.look(now)
    assert ends()[1:] == [("ada", "on 1", "failed", "r1")]
    log.add(Event("bob", "maintenance.erase", "sales", "here", "done", {"run": "r3", "where": "id = ?"}))
    runs.statuses |= {"r2": dg.DagsterRunStatus.SUCCESS, "r3": dg.DagsterRunStatus.SUCCESS}
    second.look(now)
    assert ends()[2:] == [("ada", "on 2", "done", "r2"), ("bob", "sales", "done", "r3")]
