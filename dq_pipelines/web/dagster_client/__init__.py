"""Dagster's own web server and GraphQL, with each caller's rights. Dagster's undocumented parts are leaned on in this package alone.

What they are, and that they still are what this package takes them for, is held by dq_pipelines_tests/web/test_dagster_contract.py.
"""

from dq_pipelines.web.dagster_client.errors import DagsterError
from dq_pipelines.web.dagster_client.host import DagsterHost, hosted
from dq_pipelines.web.dagster_client.rights import LOCAL, RIGHTS, AccessContext

__all__ = ["LOCAL", "RIGHTS", "AccessContext", "DagsterError", "DagsterHost", "hosted"]
