"""A real installation, made once and laid out anew for each test at the same place: bronze knows inputs by their address."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.doctor.examinations import Diagnosis, diagnose
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.security.moving import open_state
from dq_pipelines.security.state import State
from dq_pipelines_tests.conftest import ROOT
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      keys: [id]
      columns: {id: int64, amount: int64}
      transform: [{filter: "amount <> 7"}]
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_column_values_to_be_between, column: amount, max_value: 900, on_failure: drop}
"""
VISITS = """
    source: {type: csv, path: "{landing}/visits/*.csv"}
    partitions: {type: dynamic}
    silver:
      columns: {id: int64}
"""


@dataclass
class Patient:
    """An installation under one folder, and what must be in its lake."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "dagster_home"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def history(self) -> Path:
        return self.root / "history.db"

    def shop(self, instance: dg.DagsterInstance | None = None) -> Workshop:
        return Workshop(self.root, instance)

    @property
    def installation(self) -> Installation:
        return Installation.at(self.root / "assets_config", self.shop().stores, self.home, self.state)

    def diagnosed(self, *, repair: bool = False) -> list[Diagnosis]:
        return list(diagnose(self.installation, repair=repair))

    def run(self, *keys: str, mode: str | None = None, partition: str | None = None) -> None:
        """A run through Dagster, with this installation's records."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            ran = self.shop(instance).run(*keys, mode=mode, partition=partition)
            assert ran.success, ran.failures

    @property
    def rows(self) -> dict[str, list[object]]:
        """Published and refused rows by table, for comparing."""
        shop = self.shop()
        return {
            "silver/orders": shop.rows("silver/orders", "id", "amount"),
            "quarantine/orders": shop.rows("quarantine/orders", "id", "_row", "_status"),
            "gold/totals": shop.rows("gold/totals", "orders", "amount"),
            "silver/visits": shop.rows("silver/visits", "id"),
        }

    @property
    def runs(self) -> int:
        """How many runs Dagster's records know."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return instance.get_runs_count()

    @property
    def judged(self) -> set[str]:
        """The batches of orders that have a verdict."""
        return {verdict.batch for verdict in self.shop().history.of_table("silver/orders") if verdict.batch}


#: What must be there, worked out from the files by hand.
ROWS: dict[str, list[object]] = {
    "silver/orders": [(1, 11), (2, 20), (3, 30)],
    "quarantine/orders": [("4", 3, "open"), ("5", 2, "open"), ("x", 3, "open")],
    "gold/totals": [(3, 61)],
    "silver/visits": [1, 2, 3],
}


def _made(root: Path) -> None:
    patient = Patient(root)
    patient.home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", patient.home)
    open_state(State.at(patient.state)).secret("token.key")
    shop = patient.shop()
    shop.table("orders", ORDERS)
    shop.table("visits", VISITS)
    shop.table("totals", "gold: {sql: 'select count(*) as orders, sum(amount)::BIGINT as amount from silver.orders'}")
    shop.land("visits/a.csv", "id\n1\n2\n")
    shop.land("visits/b.csv", "id\n3\n")
    for number, lines in enumerate(("1,10\n4,-4\n2,20\n", "5,-5\nx,1\n1,11\n3,30\n8,7\n9,901\n"), start=1):
        shop.land(f"orders/{number}.csv", f"id,amount\n{lines}")
        patient.run("orders", "totals")
    with dg.DagsterInstance.from_config(str(patient.home)) as instance:
        instance.add_dynamic_partitions("visits_files", ["a", "b"])
    for partition in ("a", "b"):
        patient.run("visits", partition=partition)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installation as its runs have left it; its work folder and a copy of that."""
    root = tmp_path_factory.mktemp("doctor")
    _made(root / "work")
    shutil.copytree(root / "work", root / "copy")
    return root


@pytest.fixture
def patient(pristine: Path) -> Patient:
    shutil.rmtree(pristine / "work")
    shutil.copytree(pristine / "copy", pristine / "work")
    return Patient(pristine / "work")
