"""Terminate in the UI: a run in the midst of a long scan ends within two seconds, is CANCELED, and publishes nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines_tests.orchestration.served import Served, serving
from dq_pipelines_tests.workshop import Workshop

#: Seconds from the moment that the request to terminate is answered.
PATIENCE = 5.0

WIDE = """
    source: {type: csv, path: "{landing}/wide.csv"}
    silver:
      columns: {id: int64, text: string}
      rules:
        - {type: expect_column_values_to_be_unique, column: text}
REGEXES
"""
REGEXES = "\n".join(
    f'        - {{type: expect_column_values_to_not_match_regex, column: text, regex: "(a|b+)([0-9]x?){{{n}}}$"}}'
    for n in range(1, 40)
)
#: A look-behind is judged by Python itself, text by text.
SLOW = """
    source: {type: csv, path: "{landing}/wide.csv"}
    silver:
      rules:
        - {type: expect_column_values_to_match_regex, column: text, regex: "(?<=t)(e|x|t|-|[0-9])*(?!z)-[0-9]+$"}
"""
PAIRS = """
    gold:
      sql: |
        select count(*) as pairs from silver.small a, silver.small b, silver.small c
        where hash(a.n + b.n * c.n) % 1000003 = 7
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("cancel"))
    workshop.table("wide", WIDE.replace("REGEXES", REGEXES))
    workshop.table("slow", SLOW)
    workshop.table("small", 'source: {type: csv, path: "{landing}/small.csv"}\nsilver: {columns: {n: int64}}')
    workshop.table("pairs", PAIRS)
    workshop.land("small.csv", "n\n" + "".join(f"{n}\n" for n in range(20_000)))
    rows = pl.select(id=pl.int_range(6_000_000)).lazy().with_columns(text="text-" + pl.col("id").cast(pl.String))
    rows.sink_csv(workshop.landing / "wide.csv")
    return workshop


@pytest.fixture(scope="module")
def served(shop: Workshop) -> Iterator[Served]:
    # No queue: that would want a daemon beside the webserver.
    coordinator = "{module: dagster.core.run_coordinator, class: DefaultRunCoordinator}"
    with serving(shop, f"run_coordinator: {coordinator}\n") as served:
        yield served
    shutil.rmtree(shop.landing)


def wait_for(served: Served, run: str, *wanted: str, seconds: float) -> float:
    """Seconds until the run has one of these statuses."""
    begun = time.monotonic()
    while (status := served.status(run)) not in wanted:
        assert time.monotonic() - begun < seconds, f"after {seconds} s the run is {status}, wanted {wanted}"
        assert status not in ("SUCCESS", "FAILURE", "CANCELED"), f"the run is {status}, wanted {wanted}"
        time.sleep(0.05)
    return time.monotonic() - begun


def step_has_begun(shop: Workshop, key: str) -> bool:
    """Whether the table's stage is there: the scan is about to begin or has begun."""
    return any((Path(shop.lake.root) / key).glob("*"))


@pytest.mark.parametrize("table", ["wide", "slow", "pairs"])
def test_a_terminated_run_is_canceled_and_publishes_nothing(shop: Workshop, served: Served, table: str) -> None:
    key = "gold/pairs" if table == "pairs" else f"silver/{table}"
    if table == "pairs":
        wait_for(served, served.launch(["bronze/small", "silver/small", "quarantine/small"]), "SUCCESS", seconds=60)
    before = shop.versions()
    keys = [key] if table == "pairs" else [f"{layer}/{table}" for layer in ("bronze", "silver", "quarantine")]
    run = served.launch(keys)
    wait_for(served, run, "STARTED", seconds=60)
    until = time.monotonic() + 60
    while table != "pairs" and not step_has_begun(shop, key) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(2)  # in the midst of it
    assert served.status(run) == "STARTED", "the scan was over before it could be cancelled: make it longer"
    served.terminate(run)
    wait_for(served, run, "CANCELED", seconds=PATIENCE)
    assert shop.versions() == before
    # A file that was being written may stay, named by no commit: the next run of the batch removes it (`test_killed`).
