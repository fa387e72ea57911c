"""The account of a table's rows: each landed record is in one place, and one that is in none or in two is named."""

from __future__ import annotations

import json

import polars as pl
import pytest

from dq_pipelines.doctor.accounting import Account, account
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.maintenance.erasure import erase
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.cli.conftest import dq  # noqa: F401 - a fixture
from dq_pipelines_tests.doctor.conftest import Patient
from dq_pipelines_tests.workshop import Workshop, delta_of

pytestmark = pytest.mark.slow


def of(patient: Patient, table: str = "orders") -> Account:
    installation = patient.installation
    assert installation.project is not None
    return account(installation.work(installation.project.tables[table]), installation.stores.history)


def test_each_row_is_in_one_place(patient: Patient) -> None:
    found = of(patient)
    assert found.is_right
    assert found.landed == sum(found.places.values()) == 9
    assert found.places == {
        "quarantined (open)": 3,
        "dropped by a step": 1,
        "published": 3,
        "superseded by a later row": 1,
        "dropped by a rule": 1,
    }
    assert of(patient, "visits").places == {"published": 3}


def test_a_rerun_expires_no_row_and_what_was_erased_since_is_told(patient: Patient) -> None:
    before = of(patient)
    patient.run("orders", mode="rerun")
    found = of(patient)
    assert (found.landed, found.places) == (before.landed, before.places)
    assert sum(found.places.values()) == found.landed
    delta_of(patient.shop().lake.table("bronze/orders")).delete("id = '4'")
    assert of(patient).places["expired or erased"] == 1


def test_a_row_that_a_changed_file_has_lost_is_superseded(patient: Patient) -> None:
    patient.shop().land("orders/1.csv", "id,amount\n1,10\n4,-4\n")
    patient.run("orders")
    found = of(patient)
    assert (found.is_right, found.places["published"]) == (True, 3), "the row stays until a rerun"
    patient.run("orders", mode="rerun")
    found = of(patient)
    assert found.is_right
    assert found.places["superseded by a later version of the file"] == 2, "one was published, one refused"
    assert sum(found.places.values()) == found.landed


def test_a_row_that_waits_is_told(patient: Patient) -> None:
    patient.shop().land("visits/b.csv", "id\n3\n4\n")
    patient.run("bronze/visits", partition="b")
    assert of(patient, "visits").places == {"published": 3, "waiting to be judged": 2}


def test_a_row_that_silver_has_lost_is_named(patient: Patient) -> None:
    delta_of(patient.shop().lake.table("silver/visits")).delete("id = 2")
    (name,) = of(patient, "visits").nowhere
    assert name.endswith("a.csv:3")


def test_a_row_that_is_published_twice_is_named(patient: Patient) -> None:
    table = patient.shop().lake.table("silver/visits")
    table.scan().filter(pl.col("id") == 2).collect().write_delta(table.uri, mode="append")
    (name,) = of(patient, "visits").twice
    assert name.endswith("a.csv:3 (published more often than it landed)")


def test_a_refused_row_that_is_published_too_is_named(patient: Patient) -> None:
    table = patient.shop().lake.table("silver/orders")
    pl.DataFrame({"id": [5], "amount": [-5]}).write_delta(table.uri, mode="append")
    (name,) = of(patient).twice
    assert name.endswith("2.csv:2 (published, and in quarantine)")


def test_a_row_that_bronze_has_lost_is_named(patient: Patient) -> None:
    delta_of(patient.shop().lake.table("bronze/visits")).delete("id = '2'")
    found = of(patient, "visits")
    (name,) = found.unlanded
    assert name.endswith("a.csv:3 (consumed, and lost: no certificate of an erasure names it)")
    assert not found.is_right


def test_a_row_that_was_erased_names_its_certificate(patient: Patient) -> None:
    shop = patient.shop()
    work = TableRun(shop.project.tables["visits"], shop.lake)
    certificate = erase(
        ErasureRequest(work, shop.project, "id = 2", Lake.at(str(patient.root / "backup"))), shop.history, "ann"
    )
    delta_of(shop.lake.table("bronze/visits")).delete("id = '1'")
    found = of(patient, "visits")
    lost, erased = found.unlanded
    assert lost.endswith("a.csv:2 (consumed, and lost: no certificate of an erasure names it)")
    when = f"{certificate.at:%Y-%m-%d %H:%M} UTC"
    assert erased.endswith(
        f"a.csv:3 (consumed, and erased: certificate {certificate.id} of {when}; its file has it still)"
    )
    # One of an earlier release names no rows.
    (path,) = (patient.lake / ".erasures").glob("*.json")
    said = json.loads(path.read_text())
    del said["landed_rows"]
    path.write_text(json.dumps(said))
    ends = f"(consumed, and lost, or erased: the certificate {certificate.id} of {when} names its file and no rows)"
    assert [name.endswith(ends) for name in of(patient, "visits").unlanded] == [True, True]
    path.unlink()
    # A file that has landed once more has its rows again; what goes then was not erased before.
    shop.land("visits/a.csv", "id\n1\n2\n7\n")
    path.write_text(certificate.to_json())
    patient.run("visits", partition="a")
    assert of(patient, "visits").unlanded == []
    delta_of(shop.lake.table("bronze/visits")).delete("id = '2'")
    (name,) = of(patient, "visits").unlanded
    assert name.endswith("a.csv:3 (consumed, and lost: no certificate of an erasure names it)")


def test_a_row_of_quarantine_that_is_lost_or_doubled_is_named(patient: Patient) -> None:
    table = patient.shop().lake.table("quarantine/orders")
    table.scan().filter(pl.col("id") == "4").collect().write_delta(table.uri, mode="append")
    delta_of(table).delete("id = '5'")
    found = of(patient)
    assert [name.rpartition("/")[2] for name in found.twice] == ["1.csv:3 (in quarantine more than once)"]
    assert [name.rpartition("/")[2] for name in found.nowhere] == ["2.csv:2"]


def test_the_command_line(patient: Patient, dq: object, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("DQ_CONFIG", str(patient.root / "assets_config"))
    monkeypatch.setenv("DQ_LAKE", str(patient.lake))
    monkeypatch.setenv("DQ_LANDING", str(patient.root / "landing"))
    monkeypatch.setenv("DQ_HISTORY_URL", f"sqlite:///{patient.history}")
    monkeypatch.setenv("DQ_STATE", str(patient.state))
    monkeypatch.setenv("DAGSTER_HOME", str(patient.home))
    run = dq
    assert callable(run)
    ran = run("doctor")
    assert (ran.returncode, ran.stdout) == (0, "17 examinations, 0 findings, 0 errors\n")
    assert run("doctor", "--rows", "orders").stdout.splitlines()[-1] == "each landed row is in one place"
    (patient.state / "token.key").chmod(0o644)
    ran = run("doctor", "--json")
    (found,) = json.loads(ran.stdout)["findings"]
    assert (ran.returncode, found["severity"], found["repairable"]) == (1, "error", True)
    ran = run("doctor", "--repair")
    assert ran.returncode == 0
    assert "repaired: closed it to others (mode 600)" in ran.stdout


PAIRS = """
source: {type: csv, path: "{landing}/*.csv"}
silver:
  keys: [id]
  columns: {id: int64, boss: int64, code: int64}
  rules:
    - {type: expect_column_values_to_be_unique, column: code, on_failure: drop}
    - {type: expect_column_values_to_exist_in, column: boss, table: silver/t, key: id, on_failure: drop}
"""


def test_rows_that_a_rule_over_many_rows_drops(shop: Workshop) -> None:
    shop.table("t", PAIRS)
    shop.land("1.csv", "id,boss,code\n1,,1\n2,,7\n3,,7\n4,9,4\n")
    assert shop.run().success
    shop.land("2.csv", "id,boss,code\n5,,7\n")
    assert shop.run().success
    found = account(TableRun(shop.project.tables["t"], shop.lake), shop.history)
    assert found.is_right, found
    assert found.places == {"published": 2, "dropped by a rule": 3}


def test_a_row_that_its_file_has_no_more_was_superseded(shop: Workshop) -> None:
    shop.table("t", PAIRS)
    shop.land("1.csv", "id,boss,code\n1,,1\n2,,2\n")
    assert shop.run().success
    shop.land("1.csv", "id,boss,code\n1,,3\n")
    assert shop.run().success
    assert shop.run(mode="rerun").success
    found = account(TableRun(shop.project.tables["t"], shop.lake), shop.history)
    assert found.is_right, found
    assert found.places == {
        "published": 1,
        "superseded by a later row": 1,
        "superseded by a later version of the file": 1,
    }
