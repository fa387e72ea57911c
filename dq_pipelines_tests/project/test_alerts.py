"""What is wrong with `alerts:` is told with file and line, and without the address."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.project import Project, load_project

TEAM = "alerts: {to: {team: 'json://gehe1m'}}"
SALES = "source: {type: csv, path: '/x/*.csv'}"


def load(root: Path, settings: str, table: str = SALES) -> Project:
    (root / "shop").mkdir()
    (root / "project.yaml").write_text(settings + "\n", encoding="utf-8")
    (root / "shop/sales.yaml").write_text(table + "\n", encoding="utf-8")
    return load_project(root, environment={"SECRET": "gehe1m"})


@pytest.mark.parametrize(
    ("settings", "table", "said"),
    [
        ("alerts: {to: {team: gehe1m}}", SALES, "project.yaml:1: team: wanted an Apprise URL such as"),
        ("alerts: {to: {team: '${SECRET}'}}", SALES, "project.yaml:1: team: wanted an Apprise URL such as"),
        (
            "alerts: {to: {team: '${OTHER}'}}",
            SALES,
            "project.yaml:1: wanted the environment variable OTHER, found none",
        ),
        (
            "alerts:\n  to: {team: 'json://gehe1m'}\n  when: [{to: [taem]}]",
            SALES,
            "unknown channel 'taem' (nearest: team)",
        ),
        (
            "alerts: {to: {team: 'json://gehe1m'}, window: 5}",
            SALES,
            "window: wanted a length of time such as 30s, 5m or 2h, got '5'",
        ),
        ("alerts: {to: {team: 'json://gehe1m'}, window: 5x}", SALES, "wanted a length of time such as 30s, 5m or 2h"),
        (
            TEAM,
            f"{SALES}\nalerts:\n  - to: [team]\n  - to: [taem]",
            "sales.yaml:4: unknown channel 'taem' (nearest: team)",
        ),
        (
            "name: x",
            f"{SALES}\nalerts: [{{to: [team]}}]",
            "sales.yaml:2: unknown channel 'team': project.yaml names none",
        ),
        (TEAM, f"{SALES}\nalerts: [{{to: [team], on: [check_faild]}}]", "check_faild"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, settings: str, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(tmp_path, settings, table)
    assert said in str(told.value)
    assert "gehe1m" not in str(told.value)


def test_an_address_comes_from_the_environment_and_is_not_shown(tmp_path: Path) -> None:
    project = load(tmp_path, "alerts: {to: {team: 'json://${SECRET}'}}")
    assert project.settings.alerts is not None
    assert project.settings.alerts.to["team"].get_secret_value() == "json://gehe1m"
    assert "gehe1m" not in repr(project)
