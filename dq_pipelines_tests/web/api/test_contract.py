"""The OpenAPI document is the truth: schemathesis asks each route what the document allows, and what it does not.

Whatever is asked, no answer is a 5xx, and each has a status, a type and a shape that the document names. It is asked over HTTP, of
the server that `dq serve` starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.config._checks import NegativeDataRejectionConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Grant, Role
from dq_pipelines.security.users import Users
from dq_pipelines.web.api import routes
from dq_pipelines.web.api.quarantine_workbook import XLSX
from dq_pipelines_tests.web.conftest import bad_day, build
from dq_pipelines_tests.web.hosting import Hosted, hosting, listening
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

USERS = {"adam": [Grant(Role.ADMIN)], "vera": [Grant(Role.VIEWER)]}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    shop = build(tmp_path_factory.mktemp("contract"))
    bad_day(shop)
    with pytest.MonkeyPatch.context() as patched, hosting(Workshop(shop.root), USERS) as made:
        patched.setenv("DQ_LANDING", str(shop.landing))  # where uploads wait
        yield made


@pytest.fixture(scope="module")
def address(here: Hosted) -> Iterator[str]:
    with listening(here) as found:
        yield found


@pytest.fixture(scope="module")
def key(here: Hosted) -> str:
    return Keys(Users(here.shop.state.url)).add("adam")


#: What these are asked for must be there, too, which no schema says: a token that is in use, a file that is sound, a partition
#: of that very table, a metric with the column that it is of, a rule of the table, the id of a refused row, a selection of rows, a workbook of the table, a file that is what its name says, a user, a role and a password of enough strength, each name of
#: a form once (RFC 6749). They may refuse what fits their schema; all else is asked of them.
LEANS_ON_MORE = {
    "run_maintenance",
    "token",
    "revoke",
    "execute_job",
    "metrics_history",
    "create_job",
    "change_job",
    "delete_job",
    "check_job",
    "add_user",
    "change_user",
    "add_key",
    "change_alert",
    "run_rules",
    "correct_rows",
    "dismiss_rows",
    "reopen_rows",
    "workbook",
    "import_workbook",
    "run_pipeline",
    "upload",
    "try_job",
    "restore_dry_run",
    "restore",
    "erasure_dry_run",
    "erase",
    "backup_dry_run",
    "back_up",
}
#: With which what does not fit is refused: a text may be longer than any body.
REFUSALS = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429"]


#: A workbook is bytes like any others.
schemathesis.serializer.alias(XLSX, "application/octet-stream")


def leans_on_more(operation: Mapping[str, Any]) -> bool:
    """Whether a route may refuse what fits its schema; a list may refuse a cursor that no page of it has given."""
    parameters = {one["name"] for one in operation.get("parameters", ())}
    return operation["operationId"] in LEANS_ON_MORE or "cursor" in parameters


def asked(examples: int, *, coverage: bool) -> Any:
    """The document, as it is to be tried out."""
    config = ProjectConfig(
        generation=GenerationConfig(max_examples=examples, deterministic=True),
        phases=PhasesConfig(coverage=CoveragePhaseConfig(enabled=coverage)),
        checks=ChecksConfig(negative_data_rejection=NegativeDataRejectionConfig(expected_statuses=REFUSALS)),
    )
    projects = SchemathesisConfig(projects=ProjectsConfig(default=config))
    return schemathesis.openapi.from_dict(routes().openapi(), config=projects)


FEW, MANY, NOBODY = asked(2, coverage=False), asked(100, coverage=True), asked(1, coverage=False)


def answered(case: Any, address: str, **headers: str) -> None:
    """Ask the server there, and hold the answer against the document."""
    without = [positive_data_acceptance] if leans_on_more(case.operation.definition.raw) else []
    case.call_and_validate(base_url=address, headers=headers, excluded_checks=without, timeout=120)


_HEALTH = settings(deadline=None, suppress_health_check=list(HealthCheck))
#: Of a night's 2,000 each would take an hour.
_MANY = settings(_HEALTH, max_examples=100)


@FEW.parametrize()  # type: ignore[untyped-decorator]
@_HEALTH
def test_an_admin_is_answered_as_documented(case: Any, address: str, key: str) -> None:
    answered(case, address, **{"X-API-Key": key})


@pytest.mark.torture
@MANY.parametrize()  # type: ignore[untyped-decorator]
@_MANY
def test_an_admin_is_answered_as_documented_for_any_request(case: Any, address: str, key: str) -> None:
    answered(case, address, **{"X-API-Key": key})


@pytest.mark.torture
@MANY.parametrize()  # type: ignore[untyped-decorator]
@_MANY
def test_an_unknown_caller_is_answered_as_documented_for_any_request(case: Any, address: str) -> None:
    answered(case, address)


@NOBODY.parametrize()  # type: ignore[untyped-decorator]
@_HEALTH
def test_an_unknown_caller_is_answered_as_documented(case: Any, address: str) -> None:
    answered(case, address)


def test_the_document_is_openapi_3_1_and_each_route_says_what_it_is() -> None:
    document = routes().openapi()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"], one
        assert one["tags"], one
