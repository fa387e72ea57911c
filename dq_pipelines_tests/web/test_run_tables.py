"""The tables of a run, for each way to launch it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dq_pipelines.web.dagster_client.run_tables import tables_of
from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    with made.instance:
        yield made


ASSETS = ("bronze/sales", "quarantine/sales", "silver/sales")


@pytest.mark.parametrize("launched_by", ["sales_schedule", "sales_arrivals"])
def test_a_run_that_a_schedule_or_a_sensor_launched(bare: Workshop, launched_by: str) -> None:
    """Dagster gives such a run no selection of assets, but a job of its own."""
    bare.table(
        "sales", 'source: {type: csv, path: "{landing}/s/*.csv"}\nschedule: "0 2 * * *"\non_arrival: true\nsilver: {}'
    )
    bare.land("s/a.csv", "id\n1\n")
    ran = bare.run_job(f"__anonymous_asset_job_{launched_by}")
    assert ran.success
    run = bare.instance.get_run_by_id(ran.run_id)
    assert run is not None
    assert (run.asset_selection or None, tables_of(run, bare.project)) == (None, ASSETS)
