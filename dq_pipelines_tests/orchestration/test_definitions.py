"""What Dagster is given: definitions that load, whatever the size of the project, and through every door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.assembly import build_definitions
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import load_project
from dq_pipelines_tests.conftest import Places
from dq_pipelines_tests.workshop import Workshop

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def sample() -> dg.Definitions:
    """The project that comes with the checkout."""
    project = load_project(ROOT / "assets_config", environment={"DQ_LANDING": "landing"})
    return build_definitions(project, stores=Stores(Lake.at("lake"), History("sqlite://")))


def test_the_sample_project_is_valid(sample: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(sample)


def test_every_table_has_its_layers_owners_kinds_and_checks(sample: dg.Definitions) -> None:
    project = load_project(ROOT / "assets_config", environment={"DQ_LANDING": "landing"})
    graph = sample.resolve_asset_graph()
    for table in project:
        layers = ("gold",) if table.is_gold else ("bronze", "silver", "quarantine")
        for layer in layers:
            node = graph.get(dg.AssetKey([layer, table.name]))
            assert node.group_name == table.domain
            assert set(node.owners) == set(table.model.owners)
            assert "delta" in node.kinds
            assert node.tags["dq/domain"] == table.domain
            assert node.description
            assert node.metadata["dagster/code_references"]
        checks = {key.name for key in graph.asset_check_keys if key.asset_key.path[-1] == table.name}
        assert len(checks) >= len(table.rules) + (not table.is_gold)
    assert len(graph.get_all_asset_keys()) == sum(1 if table.is_gold else 3 for table in project)


def test_jobs_sensors_and_schedules(sample: dg.Definitions) -> None:
    repository = sample.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()}
    assert {"domain__flights", "domain__retail", "domain__detector", "table__readings", "table__stock"} <= jobs
    assert {"checks__flights", "checks__carrier_delays"} <= jobs
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "flights_arrivals", "sales_arrivals", "returns_arrivals", "readings_arrivals", "eager_gold", "attempts",
    }  # fmt: skip
    assert {"airlines_schedule", "stock_schedule"} <= {schedule.name for schedule in repository.schedule_defs}
    defaults = [sensor.default_status.value for sensor in repository.sensor_defs]
    defaults += [schedule.default_status.value for schedule in repository.schedule_defs]
    assert set(defaults) == {"RUNNING"}


def test_dependencies_follow_the_data(sample: dg.Definitions) -> None:
    graph = sample.resolve_asset_graph()

    def parents(key: str) -> set[str]:
        return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}

    assert parents("silver/flights") == {"bronze/flights", "silver/airlines", "silver/planes", "silver/airports"}
    assert parents("gold/daily_revenue") == {"silver/sales", "silver/products"}
    assert parents("bronze/flights") == set()


# --- many tables ------------------------------------------------------------------------------------------

MANY = 1_000
#: Seconds of CPU and bytes in which a project of so many tables loads; a location server has no more than that.
SECONDS, BYTES = 60, 1_500_000_000

LOAD = """
import resource, sys, time
from pathlib import Path
import dagster as dg
from dq_pipelines.assembly import build_definitions
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import load_project
root = Path(sys.argv[1])
project = load_project(root / "conf", environment={})
defs = build_definitions(project, stores=Stores(Lake.at(str(root / "lake")), History("sqlite://")))
repository = defs.get_repository_def()
graph = defs.resolve_asset_graph()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(len(graph.get_all_asset_keys()), len(graph.asset_check_keys), time.process_time(), peak)
"""


@pytest.mark.slow
def test_a_thousand_tables_load(tmp_path: Path) -> None:
    for number in range(MANY):
        path = tmp_path / "conf" / f"domain_{number % 20}" / f"table_{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            textwrap.dedent(f"""
            source: {{type: csv, path: "/landing/{number}/*.csv"}}
            on_arrival: true
            silver:
              keys: [id]
              columns: {{id: int64, amount: float64}}
              rules:
                - {{type: expect_column_values_to_be_between, column: amount, min_value: 0}}
                - {{type: expect_column_values_to_be_unique, column: id}}
            """),
            encoding="utf-8",
        )
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assets, checks, seconds, peak = map(float, ran.stdout.split())
    assert assets == 3 * MANY
    # Two rules, one for the key, one for the accounts, three for the inputs, one for the columns.
    assert checks == 8 * MANY
    assert seconds < SECONDS
    assert peak < BYTES


# --- other doors ------------------------------------------------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DQ_CONFIG": str(ROOT / "assets_config"), **more}


def run(command: Sequence[str | Path], cwd: Path, env: dict[str, str]) -> str:
    ran = subprocess.run(command, cwd=cwd, env=env, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout + ran.stderr


@pytest.mark.slow
def test_dagster_materializes_one_asset_by_its_key(places: Places) -> None:
    from dq_pipelines.samples import generate

    generate("flights", places.landing)
    select = ["--select", 'key:"silver/airlines"']
    said = run(
        [BIN / "dagster", "asset", "materialize", "-m", "dq_pipelines.definitions", *select], ROOT, environment()
    )
    assert "RUN_SUCCESS" in said
    lake = Lake.at(str(places.lake))
    assert lake.table("silver/airlines").rows() == 16
    with dg.DagsterInstance.from_config(str(places.dagster_home)) as instance:
        [run_record] = instance.get_run_records()
        assert run_record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert instance.get_latest_materialization_event(dg.AssetKey(["silver", "airlines"])) is not None
        assert instance.get_latest_materialization_event(dg.AssetKey(["bronze", "airlines"])) is None


@pytest.mark.slow
@pytest.mark.usefixtures("places")
def test_the_workspace_validates() -> None:
    said = run([BIN / "dagster", "definitions", "validate", "-w", "workspace.yaml"], ROOT, environment())
    assert "Validation successful for code location dq_pipelines" in said


@pytest.mark.slow
def test_a_component_mounts_a_project_in_somebody_elses(places: Places, tmp_path: Path) -> None:
    """A `dg` project of another team, laid out as Dagster does, with its own asset beside ours."""
    package = tmp_path / "theirs" / "src" / "theirs"
    mounted = package / "defs" / "quality"
    (mounted / "assets_config" / "shop").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(
        textwrap.dedent("""
        from pathlib import Path
        from dagster import definitions, load_from_defs_folder

        @definitions
        def defs():
            return load_from_defs_folder(path_within_project=Path(__file__).parent)
        """),
        encoding="utf-8",
    )
    (package / "defs" / "own.py").write_text(
        "import dagster as dg\n\n@dg.asset(deps=[dg.AssetKey(['silver', 'orders'])])\ndef theirs(): ...\n",
        encoding="utf-8",
    )
    (mounted / "defs.yaml").write_text(
        "type: dq_pipelines.AssetsConfigComponent\nattributes:\n  path: assets_config\n", encoding="utf-8"
    )
    (mounted / "assets_config" / "shop" / "orders.yaml").write_text(
        'source: {type: csv, path: "${DQ_LANDING}/orders/*.csv"}\n', encoding="utf-8"
    )
    (tmp_path / "theirs" / "pyproject.toml").write_text(
        textwrap.dedent("""
        [project]
        name = "theirs"
        version = "0"
        [tool.dg]
        directory_type = "project"
        [tool.dg.project]
        root_module = "theirs"
        """),
        encoding="utf-8",
    )
    env = environment(PYTHONPATH=f"{ROOT}:{tmp_path / 'theirs' / 'src'}")
    listed = subprocess.run(
        [BIN / "dg", "list", "defs", "--json"],
        cwd=tmp_path / "theirs",
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stdout[-2000:] + listed.stderr[-3000:]
    for key in ("theirs", "bronze/orders", "silver/orders", "quarantine/orders"):
        assert key in json.dumps(json.loads(listed.stdout)["assets"]), listed.stdout
    (places.landing / "orders").mkdir()
    (places.landing / "orders" / "a.csv").write_text("id\n1\n", encoding="utf-8")
    run(
        [BIN / "dagster", "asset", "materialize", "-m", "theirs.definitions", "--select", "*"],
        tmp_path / "theirs",
        env,
    )
    assert Lake.at(str(places.lake)).table("silver/orders").rows() == 1


def test_names_of_all_kinds(shop: Workshop) -> None:
    """What YAML allows, Dagster must take."""
    shop.table("t1", "source: {type: csv, path: '/x/*.csv'}\ntags: {a: b}\nowners: [team:a-b, x.y@z.org]", domain="a_b")
    shop.table("gold_like", "gold: {sql: select 1 as one from silver.t1}", domain="silver")
    shop.table(
        "x9_", "source: {type: csv, path: '/x/*.csv'}\npartitions: {type: daily, start: 2026-01-01}", domain="bronze"
    )
    dg.Definitions.validate_loadable(shop.definitions)
