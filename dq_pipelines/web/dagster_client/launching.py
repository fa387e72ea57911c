"""To launch a run through Dagster's own GraphQL, in a caller's name. Whether they may is asked before, by whoever calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost

#: Dagster's job of whatever assets are chosen.
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
    """What is to run."""

    job: str = ASSET_JOB
    #: keys of assets; all of the job's where neither these nor checks are chosen
    assets: Iterable[str] = ()
    #: of a table's key the names of checks
    checks: Mapping[str, Iterable[str]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def by(self, caller: Caller, host: DagsterHost) -> str:
        """Launch it; gives the run's id. Raises DagsterError with Dagster's own sentence where it refuses. Blocks."""
        params = {
            "selector": self._selector(*_place_of(host, caller, self.job)),
            "runConfigData": json.dumps(self.config),
            "executionMetadata": {"tags": [{"key": name, "value": value} for name, value in self.tags.items()]},
        }
        said = host.ask(caller, _LAUNCH, {"params": params})["launchRun"]
        if said["__typename"] != "LaunchRunSuccess":
            why = said.get("message") or "; ".join(error["message"] for error in said.get("errors", ()))
            raise DagsterError(f"Dagster did not launch {self.job}: {why or said['__typename']}")
        return str(said["run"]["runId"])

    def _selector(self, location: str, repository: str) -> dict[str, Any]:
        where = {"repositoryLocationName": location, "repositoryName": repository, "pipelineName": self.job}
        assets = [_key(key) for key in self.assets]
        checks = [{"assetKey": _key(key), "name": name} for key, names in self.checks.items() for name in names]
        if not (assets or checks):
            return where
        # Where no checks are named, Dagster runs those of the assets; of an empty list it would run none.
        return where | {"assetSelection": assets} | ({"assetCheckSelection": checks} if checks else {})


def _key(key: str) -> dict[str, list[str]]:
    return {"path": key.split("/")}


def _place_of(host: DagsterHost, caller: Caller, job: str) -> tuple[str, str]:
    """The code location and the repository that have this job."""
    found = host.ask(caller, _WHERE)["repositoriesOrError"]
    for node in found.get("nodes", ()):
        if job in {one["name"] for one in node["jobs"]}:
            return node["location"]["name"], node["name"]
    raise DagsterError(found.get("message") or f"no code location that is loaded has the job {job}")
