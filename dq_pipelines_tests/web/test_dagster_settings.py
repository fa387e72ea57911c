"""Dagster's settings are written to a new home, and missing ones of the user's own are named."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.orchestration.runs.dagster_settings import DEFAULTS, FILE, missing_settings, write_settings
from dq_pipelines.web.hosting import home


def missing(folder: Path) -> list[str]:
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        return [name.partition(" ")[0] for name, _ in missing_settings(instance)]


def test_our_settings_are_complete_and_dagsters_defaults_are_not(tmp_path: Path) -> None:
    assert missing(tmp_path) == [
        "concurrency.runs.tag_concurrency_limits",
        "run_queue.max_user_code_failure_retries",
        "run_monitoring.enabled",
        "run_retries.enabled",
    ]
    write_settings(tmp_path)
    assert missing(tmp_path) == []


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for Dagster's records that somebody has named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", f"{tmp_path}/own")
    return tmp_path / "own"


def test_a_new_home_gets_the_settings_and_one_with_records_is_left(
    own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert home() == own
    assert (own / FILE).read_text() == DEFAULTS
    assert capfd.readouterr().err == f"dq serve: wrote {own / FILE}, since the folder of Dagster's records was new\n"
    (own / FILE).unlink()
    (own / "history").mkdir()
    assert home() == own
    assert not (own / FILE).exists()
    assert capfd.readouterr().err == ""


def test_settings_in_the_working_directory_are_used(own: Path) -> None:
    Path(FILE).write_text("telemetry: {enabled: false}\n")
    home()
    assert (own / FILE).read_text() == "telemetry: {enabled: false}\n"
    (own / FILE).unlink()
    (own / FILE).symlink_to("nowhere.yaml")
    with pytest.raises(FileExistsError):
        write_settings(own)
