"""Launches runs through Dagster's GraphQL in a caller's name. Callers of this module check permissions themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost

#: Dagster's implicit job for any selection of assets.
ASSET_JOB = "__ASSET_JOB"

_WHERE = """
{ repositoriesOrError { __typename
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message } } }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""


@dataclass(frozen=True)
class Launch:
    """A run to launch."""

    job: str = ASSET_JOB
    #: keys of assets; all of the job's if neither assets nor checks are given
    assets: Iterable[str] = ()
    #: key of a table -> names of checks
    checks: Mapping[str, Iterable[str]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def submit(self, caller: Caller, host: DagsterHost) -> str:
        """Launch the run, and return its id. Raises DagsterError with Dagster's message if it refuses. Blocks."""
        params = {
            "selector": self._selector(*_place_of(host, caller, self.job)),
            "runConfigData": json.dumps(self.config),
            "executionMetadata": {"tags": [{"key": name, "value": value} for name, value in self.tags.items()]},
        }
        answer = host.ask(caller, _LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            why = answer.get("message") or "; ".join(error["message"] for error in answer.get("errors", ()))
            raise DagsterError(f"Dagster did not launch {self.job}: {why or answer['__typename']}")
        return str(answer["run"]["runId"])

    def _selector(self, location: str, repository: str) -> dict[str, Any]:
        where = {"repositoryLocationName": location, "repositoryName": repository, "pipelineName": self.job}
        assets = [_key(key) for key in self.assets]
        checks = [{"assetKey": _key(key), "name": name} for key, names in self.checks.items() for name in names]
        if not (assets or checks):
            return where
        # Without a selection of checks, Dagster runs those of the assets; with an empty list, it runs none.
        return where | {"assetSelection": assets} | ({"assetCheckSelection": checks} if checks else {})


def _key(key: str) -> dict[str, list[str]]:
    return {"path": key.split("/")}


def _place_of(host: DagsterHost, caller: Caller, job: str) -> tuple[str, str]:
    """The code location and the repository of this job."""
    answer = host.ask(caller, _WHERE)["repositoriesOrError"]
    for node in answer.get("nodes", ()):
        if job in {one["name"] for one in node["jobs"]}:
            return node["location"]["name"], node["name"]
    raise DagsterError(answer.get("message") or f"no loaded code location has the job {job}")
