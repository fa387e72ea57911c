"""The words for runs on all pages: what the status of a run is called, and what a run does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from dq_pipelines.web.dagster_client.run_tables import is_dry, mode_of

_Status = dg.DagsterRunStatus

#: Dagster's status -> colour and word.
STATUSES: Mapping[str, tuple[str, str]] = {
    _Status.NOT_STARTED.value: ("on", "queued"),
    _Status.QUEUED.value: ("on", "queued"),
    _Status.STARTING.value: ("on", "running"),
    _Status.STARTED.value: ("on", "running"),
    _Status.CANCELING.value: ("never_run", "being cancelled"),
    _Status.SUCCESS.value: ("healthy", "succeeded"),
    _Status.FAILURE.value: ("error", "failed"),
    _Status.CANCELED.value: ("never_run", "cancelled"),
}

#: Name of a filter -> the statuses that it shows. A run that is being cancelled still runs.
GROUPS: Mapping[str, Sequence[dg.DagsterRunStatus]] = {
    "all": (),
    "queued": (_Status.QUEUED, _Status.NOT_STARTED),
    "running": (_Status.STARTING, _Status.STARTED, _Status.CANCELING),
    "succeeded": (_Status.SUCCESS,),
    "failed": (_Status.FAILURE,),
    "cancelled": (_Status.CANCELED,),
}

#: Mode of a run -> what it does, as the buttons that start it say.
_MODES = {"incremental": "load", "rerun": "judge all again"}
#: Job -> what it does; other jobs say it by their name.
_JOBS = {
    "quarantine_replay": "replay",
    "quarantine_export": "export",
    "quarantine_import": "import",
    "anomaly_accept": "accept an anomaly",
    "anomaly_reopen": "reopen an anomaly",
    "upkeep": "upkeep",
    "retention": "retention",
    "purge_runs": "purge runs",
}


def status_words(status: dg.DagsterRunStatus) -> tuple[str, str]:
    """The colour and the word of a status; of one that Dagster adds later, its own name."""
    return STATUSES.get(status.value, ("on", status.value.replace("_", " ").lower()))


def does(run: dg.DagsterRun) -> str:
    """What a run does, in a word or a few."""
    if run.job_name in _JOBS:
        return f"try {_JOBS[run.job_name]}" if is_dry(run) else _JOBS[run.job_name]
    if run.job_name.startswith("checks__") or (run.asset_check_selection and not run.asset_selection):
        return "rules"
    mode = mode_of(run) or "incremental"
    return _MODES.get(mode, mode)
