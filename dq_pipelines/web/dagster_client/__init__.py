"""Hosts Dagster's web server and GraphQL with each caller's permissions.

Only this package uses undocumented parts of Dagster; dq_pipelines_tests/web/test_dagster_contract.py tests that they still
behave as expected.
"""

from dq_pipelines.web.auth.access import LOCAL
from dq_pipelines.web.dagster_client.errors import DagsterError
from dq_pipelines.web.dagster_client.host import DagsterHost, hosted
from dq_pipelines.web.dagster_client.rights import RIGHTS, AccessContext

__all__ = ["LOCAL", "RIGHTS", "AccessContext", "DagsterError", "DagsterHost", "hosted"]
