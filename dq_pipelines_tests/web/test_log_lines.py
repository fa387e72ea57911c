"""Dagster's log in the gateway: one line for an expected error, a traceback for an unexpected one."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError

from dq_pipelines.web.dagster_client.log_lines import one_line_per_event
from dq_pipelines.web.hosting import _opened

AWAY = DagsterUserCodeUnreachableError("Could not reach user code server.\ndetails")
LOGGER = logging.getLogger("dagster.daemon.tests")


def said(error: Exception, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    try:
        raise error
    except type(error):
        LOGGER.exception("Sensor %s caught an error", "sales")
    return caplog.text.strip()


def test_an_expected_error_is_one_line_and_another_is_whole(caplog: pytest.LogCaptureFixture) -> None:
    with one_line_per_event("info"):
        line = said(AWAY, caplog)
        assert line.endswith("Sensor sales caught an error: Could not reach user code server.")
        assert "\n" not in line
        assert "Traceback" in said(ValueError("of the code's own"), caplog)
    assert "Traceback" in said(AWAY, caplog)


def test_at_debug_the_log_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    with one_line_per_event("debug"):
        assert "Traceback" in said(AWAY, caplog)


def test_a_warning_with_such_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = "Error loading repository location shop:{}: Could not reach it\n\nStack Trace:\n  File"
    whole: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: whole.append(str(message)))
    with one_line_per_event("info"), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(told.format("DagsterUserCodeUnreachableError"), stacklevel=1)
        warnings.warn(told.format("ValueError"), stacklevel=1)
    line = "dq serve: Error loading repository location shop:DagsterUserCodeUnreachableError: Could not reach it\n"
    assert (capfd.readouterr().err, whole) == (line, [told.format("ValueError")])


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore::ImportWarning")
    with one_line_per_event("info"):
        assert os.environ["PYTHONWARNINGS"].startswith("ignore::ImportWarning,ignore::UserWarning:")
    assert os.environ["PYTHONWARNINGS"] == "ignore::ImportWarning"


@pytest.mark.parametrize(
    ("settings", "asked", "level"),
    [
        ("", None, "INFO"),
        ("python_logs: {python_log_level: DEBUG}", None, "DEBUG"),
        ("python_logs: {python_log_level: DEBUG}", "warning", "WARNING"),
        ("python_logs: {managed_python_loggers: [shop]}", "debug", "DEBUG"),
    ],
)
def test_runs_log_from_the_level_that_is_asked_for_or_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, asked: str | None, level: str
) -> None:
    (tmp_path / "dagster.yaml").write_text(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    # Runs open the records by what this one hands on.
    with _opened(asked) as here, dg.DagsterInstance.from_ref(here.get_ref()) as of_a_run:
        assert of_a_run.python_log_level == level
        assert of_a_run.managed_python_loggers == (["shop"] if "shop" in settings else [])
