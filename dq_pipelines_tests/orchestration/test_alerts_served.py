"""Alerts as they are deployed: Dagster's own daemon ticks the sensor, and each run is a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dq_pipelines_tests.orchestration.listening import hook
from dq_pipelines_tests.orchestration.served import Served, serving
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.torture

KEYS = ["bronze/orders", "silver/orders", "quarantine/orders"]


def run(served: Served) -> tuple[str, str]:
    """Launch the table; the run's id and how it ended."""
    launched = served.launch(KEYS)
    until = time.monotonic() + 120
    while (status := served.status(launched)) not in ("SUCCESS", "FAILURE"):
        assert time.monotonic() < until, status
        time.sleep(0.5)
    return launched, status


def test_the_daemon_tells_once_and_that_it_is_well_again(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    with hook() as web:
        shop.table(
            "orders",
            """
            source: {type: csv, path: "{landing}/orders/*.csv"}
            silver:
              columns: {amount: float64}
              rules: [{type: expect_column_values_to_be_between, column: amount, max_value: 9, on_failure: block}]
            """,
        )
        told = f"name: demo\nalerts: {{to: {{team: 'json://127.0.0.1:{web.port}'}}}}\n"
        (tmp_path / "assets_config/project.yaml").write_text(told, encoding="utf-8")
        shop.land("orders/1.csv", "amount\n10\n")
        with serving(shop, "", daemon=True) as served:
            failed, status = run(served)
            assert status == "FAILURE"
            wait_for(web.got, 1)
            shop.land("orders/1.csv", "amount\n1\n")
            mended, status = run(served)
            assert status == "SUCCESS"
            wait_for(web.got, 2)
            time.sleep(35)  # another tick, which has nothing to say
    assert web.titles == ["demo: silver/orders: 1 check failed, run failed", "demo: silver/orders: recovered"]
    assert failed in web.got[0]["message"]
    assert mended in web.got[1]["message"]


def wait_for(got: Sequence[object], count: int) -> None:
    until = time.monotonic() + 120
    while len(got) < count:
        assert time.monotonic() < until, got
        time.sleep(0.5)
