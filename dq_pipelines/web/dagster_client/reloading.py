"""To have Dagster load the project's files anew after one was changed. Whether whoever changed it may is asked before."""

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
    """Load the code location of these tables anew, or the only one; "" when it has loaded, else one sentence."""
    # Who may change a table of theirs may have it loaded: with it comes the whole project, which in Dagster is the admin's.
    caller = replace(caller, user=replace(caller.user, grants=caller.user.grants | {Grant(Role.ADMIN)}))
    try:
        name = _location(host, caller, keys)
        if name is None:
            return "Dagster has several code locations, none with tables of this project: reload it in Dagster's UI"
        done = host.ask(caller, _RELOAD, {"name": name})["reloadRepositoryLocation"]
    except DagsterError as error:
        return str(error)
    loaded = done.get("locationOrLoadError") or {}
    if done["__typename"] == "WorkspaceLocationEntry" and loaded.get("__typename") != "PythonError":
        return ""
    said = str(loaded.get("message") or done.get("message") or done["__typename"]).strip()
    return f"Dagster has not loaded it: {said.splitlines()[0]}"


def _location(host: DagsterHost, caller: Caller, keys: list[str]) -> str | None:
    asked = {"keys": [{"path": key.split("/")} for key in keys]}
    found = host.ask(caller, _LOCATIONS, asked)
    if nodes := found["assetNodes"]:
        return str(nodes[0]["repository"]["location"]["name"])
    entries = found["workspaceOrError"].get("locationEntries") or []
    return str(entries[0]["name"]) if len(entries) == 1 else None
