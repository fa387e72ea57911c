"""deploy/compose.yaml: whoever reaches a port of it has to log in, and only this machine reaches one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from dq_pipelines.cli.serve import app
from dq_pipelines.web.middleware.exposure import Exposure
from dq_pipelines.web.middleware.proxies import Proxies

_DEPLOY = Path(__file__).parents[2] / "deploy"
_COMPOSE = yaml.safe_load((_DEPLOY / "compose.yaml").read_text("utf-8"))
_SERVICES: Mapping[str, Any] = _COMPOSE["services"]
_PUBLISHED = {name: port for name, service in _SERVICES.items() for port in service.get("ports", [])}


def test_something_is_published() -> None:
    assert list(_PUBLISHED) == ["web"]


@pytest.mark.parametrize("port", _PUBLISHED.values(), ids=_PUBLISHED)
def test_every_published_port_is_this_machines_alone(port: Any) -> None:
    assert isinstance(port, str)
    assert re.fullmatch(r"(127\.0\.0\.1|\[::1\]):\d+:\d+", port)


@pytest.mark.parametrize("name", _PUBLISHED)
def test_what_is_published_asks_who_comes(name: str) -> None:
    command, port = _SERVICES[name]["command"], _PUBLISHED[name].rpartition(":")[2]
    assert command[:2] == ["dq", "serve"]
    known = {flag for param in typer.main.get_command(app).params for flag in param.opts}
    asked = dict(zip(command[2::2], command[3::2], strict=True))
    assert asked.keys() <= known
    assert asked["--port"] == port
    exposure = Exposure(asked["--host"], int(port), None, Proxies.parsed(asked["--behind-proxy"]))
    exposure.must_be_safe(has_users=True)
    (network,) = _COMPOSE["networks"]["default"]["ipam"]["config"]
    assert network["gateway"] == asked["--behind-proxy"]


@pytest.mark.parametrize("name", _SERVICES)
def test_no_service_serves_dagster_without_a_login(name: str) -> None:
    said = " ".join(_SERVICES[name].get("command", []))
    assert "dagster-webserver" not in said
    assert "dagster dev" not in said
    assert _SERVICES[name].get("network_mode") != "host"


def test_users_outlive_the_container() -> None:
    (state,) = re.findall(r"DQ_STATE=(\S+)", (_DEPLOY / "Dockerfile").read_text("utf-8"))
    assert f"state:{state}" in _SERVICES["web"]["volumes"]
    assert "state" in _COMPOSE["volumes"]
