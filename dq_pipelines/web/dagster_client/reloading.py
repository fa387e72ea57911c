"""Reloads the project's code location in Dagster after a file has changed."""

from __future__ import annotations

from dataclasses import replace

from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost

_LOCATIONS = """
query Locations($keys: [AssetKeyInput!]!) {
  assetNodes(assetKeys: $keys) { repository { location { name } } }
  workspaceOrError { __typename ... on Workspace { locationEntries { name } } }
}
"""
_RELOAD = """
mutation Reload($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on PythonError { message }
    ... on Error { message }
  }
}
"""


def reload(host: DagsterHost, caller: Caller, keys: list[str]) -> str:
    """Reload the code location of these tables, or the only one. Returns "" on success, else a sentence."""
    # Editing one table is enough to reload it. A reload loads the whole project, for which Dagster requires an admin.
    caller = replace(caller, user=replace(caller.user, grants=caller.user.grants | {Grant(Role.ADMIN)}))
    try:
        name = _location(host, caller, keys)
        if name is None:
            return "Dagster has several code locations, none with tables of this project: reload yours in Dagster's UI"
        done = host.ask(caller, _RELOAD, {"name": name})["reloadRepositoryLocation"]
    except DagsterError as error:
        return str(error)
    loaded = done.get("locationOrLoadError") or {}
    if done["__typename"] == "WorkspaceLocationEntry" and loaded.get("__typename") != "PythonError":
        return ""
    message = str(loaded.get("message") or done.get("message") or done["__typename"]).strip()
    return f"Dagster has not loaded it: {message.splitlines()[0]}"


def _location(host: DagsterHost, caller: Caller, keys: list[str]) -> str | None:
    answer = host.ask(caller, _LOCATIONS, {"keys": [{"path": key.split("/")} for key in keys]})
    if nodes := answer["assetNodes"]:
        return str(nodes[0]["repository"]["location"]["name"])
    entries = answer["workspaceOrError"].get("locationEntries") or []
    return str(entries[0]["name"]) if len(entries) == 1 else None
