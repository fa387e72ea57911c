"""The sample project, run whole, held to the samples' answer sheets."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dq_pipelines.assembly import build_definitions
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import load_project
from dq_pipelines.run_all import run_all
from dq_pipelines.samples import SAMPLES, ExpectedFaults, Fault, generate

CONFIG = Path(__file__).parents[2] / "assets_config"
#: What is found without a rule of the YAML.
WITHOUT_RULE = ("cast", "unreadable", "deduplicate", "filter")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("samples")]


@dataclass(frozen=True)
class Ingested:
    """One domain after everything was run once."""

    truth: ExpectedFaults
    stores: Stores
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    landing: Path

    def verdicts(self, table: str) -> list[VerdictRecord]:
        """One per partition, or one."""
        return self.stores.history.of_table(f"silver/{table}")

    def found(self, fault: Fault) -> int:
        """The failing rows that the fault's rule counted, over all partitions."""
        results = [result for verdict in self.verdicts(fault.table) for result in verdict.results]
        return sum(
            result.unexpected_count or 0
            for result in results
            if result.rule == fault.found_by and (not fault.column or result.column == fault.column)
        )

    def rows(self, key: str) -> pl.DataFrame:
        return self.stores.lake.table(key).scan().collect()


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def ingested(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    folder = tmp_path_factory.mktemp(request.param)
    truth = generate(request.param, folder / "landing")
    (folder / "conf").mkdir()
    shutil.copytree(CONFIG / request.param, folder / "conf" / request.param)
    project = load_project(folder / "conf", environment={"DQ_LANDING": str(folder / "landing")})
    stores = Stores(Lake.at(str(folder / "lake")), History(f"sqlite:///{folder / 'history.db'}"))
    definitions = build_definitions(project, stores=stores)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_all(project, definitions, stores, instance)
        yield Ingested(truth, stores, instance, definitions, folder / "landing")


def test_each_rule_counts_the_faults_that_were_sown(ingested: Ingested) -> None:
    wanted: Counter[tuple[str, str, str]] = Counter()
    found = {}
    for fault in ingested.truth.faults:
        if fault.found_by not in ("deduplicate", "filter"):
            key = (fault.table, fault.found_by, fault.column)
            wanted[key] += fault.count
            found[key] = ingested.found(fault)
    assert found == dict(wanted)


def test_no_other_rule_found_anything(ingested: Ingested) -> None:
    sown = {(fault.table, fault.found_by) for fault in ingested.truth.faults}
    surprising = {
        (table, result.check): result.unexpected_count
        for table in ingested.truth.landed
        for verdict in ingested.verdicts(table)
        for result in verdict.results
        if result.unexpected_count and (table, result.rule) not in sown
    }
    assert surprising == {}


def test_quarantine_holds_what_was_sown_for_the_reasons_it_was_sown(ingested: Ingested) -> None:
    for table in ingested.truth.landed:
        faults = [fault for fault in ingested.truth.faults if (fault.table, fault.fate) == (table, "quarantined")]
        rows = ingested.rows(f"quarantine/{table}")
        reasons = rows["_reasons"].explode(empty_as_null=False).struct.unnest() if rows.height else pl.DataFrame()
        found = Counter(reasons["rule"].to_list()) if rows.height else Counter()
        wanted: Counter[str] = Counter()
        for fault in faults:
            wanted[fault.found_by] += fault.count
        assert found == wanted, table
        assert rows.height == sum(wanted.values()), f"{table}: one reason a row, since every row has one fault at most"


def test_rows_end_where_the_answer_sheet_says(ingested: Ingested) -> None:
    truth = ingested.truth
    for table, landed in truth.landed.items():
        verdicts = ingested.verdicts(table)
        assert sum(verdict.rows_in for verdict in verdicts) == landed
        assert sum(verdict.refused for verdict in verdicts) == truth.count(table, "quarantined")
        assert sum(verdict.dropped for verdict in verdicts) == truth.count(table, "dropped")
        assert sum(verdict.published for verdict in verdicts) == truth.published(table)
        assert ingested.rows(f"silver/{table}").height == truth.published(table)
        assert ingested.rows(f"bronze/{table}").height == landed
        assert not any(verdict.blocked for verdict in verdicts)


def test_checks_in_dagster_say_what_history_says(ingested: Ingested) -> None:
    graph = ingested.definitions.resolve_asset_graph()
    seen = 0
    for key in graph.asset_check_keys:
        [latest] = ingested.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert latest.event is not None
        evaluation = latest.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        if key.name in ("inputs_readable", "inputs_unassigned", "encoding_guessed"):  # of the inputs, and no rule's
            assert evaluation.passed
            continue
        verdict = ingested.stores.history.latest(key.asset_key.to_user_string())
        assert verdict is not None
        [result] = [result for result in verdict.results if result.check == key.name]
        told = evaluation.metadata.get("unexpected_count")
        assert (None if told is None else told.value) == result.unexpected_count
        assert evaluation.passed == result.success
        seen += 1
    assert seen > 10


def test_running_everything_again_changes_nothing(ingested: Ingested) -> None:
    lake = Path(ingested.stores.lake.root)
    silver = [log.parts[-2] for log in lake.glob("silver/*/_delta_log")]
    assert silver
    before = {name: ingested.stores.lake.table(f"silver/{name}").snapshot().version for name in silver}
    keys = [dg.AssetKey(["silver", name]) for name in silver]
    parted = {key for key in keys if ingested.definitions.resolve_asset_graph().get(key).partitions_def is not None}
    result = ingested.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=ingested.instance, asset_selection=[key for key in keys if key not in parted] or keys,
        partition_key=None if len(parted) < len(keys) else "run_0001",
    )  # fmt: skip
    assert result.success
    after = {name: ingested.stores.lake.table(f"silver/{name}").snapshot().version for name in silver}
    assert after == before


# --- what only one domain has -----------------------------------------------------------------------------


def test_the_seven_numbers_of_flights(ingested: Ingested) -> None:
    if ingested.truth.domain != "flights":
        return
    wanted = {
        "silver/flights:tailnum__not_null": 2_512,
        "silver/flights:tailnum__exist_in": 50_094,
        "silver/flights:dest__exist_in": 7_602,
        "silver/weather:origin__year__month__day__hour__compound_columns_unique": 6,
        "silver/planes:year__not_null": 70,
        "silver/planes:year__between": 3,
        "silver/weather:wind_speed__between": 1,
    }
    told, remembered = {}, {}
    for name in wanted:
        table, _, check = name.partition(":")
        key = dg.AssetCheckKey(dg.AssetKey(table.split("/")), check)
        [latest] = ingested.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        evaluation = latest.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        told[name] = evaluation.metadata["unexpected_count"].value
        assert evaluation.severity is dg.AssetCheckSeverity.WARN
        verdict = ingested.stores.history.latest(table)
        assert verdict is not None
        remembered[name] = next(result.unexpected_count for result in verdict.results if result.check == check)
    assert told == remembered == wanted
    strangers = ingested.rows("silver/flights").join(
        ingested.rows("silver/airports"), left_on="dest", right_on="faa", how="anti"
    )
    assert set(strangers["dest"]) == {"BQN", "PSE", "SJU", "STT"}


def test_the_verdict_of_each_run_of_the_detector(ingested: Ingested) -> None:
    if ingested.truth.domain != "detector":
        return
    found = {row["run_id"]: row for row in ingested.rows("gold/run_quality").to_dicts()}
    assert set(found) == {run.run_id for run in ingested.truth.runs}
    for run in ingested.truth.runs:
        row = found[run.run_id]
        assert (row["readings"], row["outliers"], row["verdict"]) == (run.readings, run.outliers, run.verdict)
        assert row["mean"] == pytest.approx(run.mean)
        assert row["stdev"] == pytest.approx(run.stdev)
    assert {row["verdict"] for row in found.values()} == {"GOOD", "BAD"}


def test_gold_of_retail_adds_up(ingested: Ingested) -> None:
    if ingested.truth.domain != "retail":
        return
    sales, revenue = ingested.rows("silver/sales"), ingested.rows("gold/daily_revenue")
    assert revenue["revenue"].sum() == sales["amount"].sum()
    assert revenue["lines"].sum() == sales.height
    assert ingested.rows("gold/customer_value").height == ingested.rows("silver/customers").height
