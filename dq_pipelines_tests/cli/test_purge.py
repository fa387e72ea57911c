"""`dq purge` says what would go, and removes it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Three runs of one table in the records at `home`."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        workshop = Workshop(tmp_path, instance)
        workshop.table("t", 'source: {type: csv, path: "{landing}/t/*"}')
        for number in range(3):
            workshop.land(f"t/{number}.csv", f"id\n{number}\n")
            assert workshop.run("t").success
    return workshop


def runs(shop: Workshop) -> int:
    with dg.DagsterInstance.from_config(str(shop.root / "home")) as instance:
        return instance.get_runs_count()


def test_it_says_what_would_go_and_removes_it(shop: Workshop, dq: Dq) -> None:
    places = {"DAGSTER_HOME": str(shop.root / "home"), "DQ_CONFIG": str(shop.root / "assets_config")}
    places["DQ_HISTORY_URL"] = shop.history.url
    assert dq("purge", **places).stdout == "removed 0 runs\n"  # none is 90 days old
    (shop.root / "assets_config/project.yaml").write_text("run_history: false\n", encoding="utf-8")
    nothing = dq("purge", **places)
    assert nothing.returncode == 2
    assert "wanted --keep or --per-job, since project.yaml has run_history: false" in nothing.stderr
    wrong = dq("purge", "--keep", "90", **places)
    assert wrong.returncode == 2
    assert "--keep: wanted a duration such as 12h" in wrong.stderr
    would = dq("purge", "--per-job", "1", "--dry-run", **places)
    assert would.stdout.startswith("would remove 2 runs")
    assert runs(shop) == 3
    (shop.root / "assets_config/project.yaml").write_text("run_history: {per_job: 2}\n", encoding="utf-8")
    assert dq("purge", **places).stdout.startswith("removed 1 run,")
    assert "  __ASSET_JOB: 1\n" in dq("purge", "--per-job", "1", **places).stdout
    assert runs(shop) == 1


def test_it_wants_to_know_where(dq: Dq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert "DAGSTER_HOME" in dq("purge", "--keep", "90d", "--per-job", "5").stderr
