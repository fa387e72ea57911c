"""The environment as one value."""

from __future__ import annotations

import pytest

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError


def test_defaults() -> None:
    assert Settings.from_environment({}) == Settings("assets_config", "lake", "landing", None)
    assert Settings.from_environment({"DQ_LAKE": "", "DQ_HISTORY_URL": ""}) == Settings()


def test_what_is_given() -> None:
    given = {"DQ_CONFIG": "c", "DQ_LAKE": "s3://b/l", "DQ_LANDING": "in", "DQ_HISTORY_URL": "postgresql+psycopg2://h/d"}
    found = Settings.from_environment(given)
    assert found == Settings("c", "s3://b/l", "in", "postgresql+psycopg2://h/d")
    assert found.history_url == "postgresql+psycopg2://h/d"


def test_history_lies_in_the_lake() -> None:
    assert Settings(lake="/data/lake").history_url == "sqlite:////data/lake/history.db"
    assert Settings(lake="file:///data/lake").history_url == "sqlite:////data/lake/history.db"


def test_a_remote_lake_holds_no_history() -> None:
    with pytest.raises(ConfigError, match="wanted DQ_HISTORY_URL beside DQ_LAKE=s3://b/l"):
        _ = Settings(lake="s3://b/l").history_url


def test_where_backups_go() -> None:
    assert Settings.from_environment({"DQ_BACKUP": "s3://b/old"}).backup == "s3://b/old"
    assert Settings.from_environment({"DQ_BACKUP": ""}).backup is None


def test_where_dagster_is() -> None:
    assert Settings.from_environment({"DQ_DAGSTER_URL": "https://h/ui/"}).dagster_url == "https://h/ui"
    assert Settings.from_environment({"DQ_DAGSTER_URL": ""}).dagster_url == ""
    with pytest.raises(ConfigError, match=r"DQ_DAGSTER_URL: wanted http://… or https://…, got javascript:alert\(1\)"):
        Settings.from_environment({"DQ_DAGSTER_URL": "javascript:alert(1)"})
