"""A run loads its own tables and what they read, and is the same run as when every table is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Collection
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.snap import JobSnap
from dagster_shared.record import replace
from dagster_shared.utils.warnings import BetaWarning

from dq_pipelines import build_definitions
from dq_pipelines.lake.compaction import checkpoint
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.runs.run_tables import tables_of_process, tables_of_run, tables_of_selection
from dq_pipelines.project import load_sound_tables
from dq_pipelines.project.files import table_files
from dq_pipelines_tests.conftest import Places
from dq_pipelines_tests.orchestration.served import serving
from dq_pipelines_tests.workshop import Workshop

ROOT = Path(__file__).parents[2]
SAMPLES = str(ROOT / "assets_config")
ALL = None

SELECTIONS: dict[str, Collection[str] | None] = {
    "silver/sales": {"sales"},
    "silver/sales,gold/daily_revenue": {"sales", "daily_revenue"},
    'key:"silver/sales"': {"sales"},
    "key:silver/sales or key:bronze/stock": {"sales", "stock"},
    'key:"silver/air*"': {"airlines", "airports"},
    "+gold/daily_revenue": {"daily_revenue"},
    "*gold/daily_revenue": {"daily_revenue"},
    '+key:"gold/daily_revenue"': {"daily_revenue"},
    "group:detector": {"readings", "run_quality"},
    "group:detector,silver/sales": {"readings", "run_quality", "sales"},
    "*": ALL,
    "silver/sales+": ALL,
    "silver/sales*": ALL,
    "kind:csv": ALL,
    "tag:dq/domain=retail": ALL,
    "group:retail and kind:delta": ALL,
    "not group:retail": ALL,
    "group:none": ALL,
    "silver/none": ALL,
    "silver/sales,silver/none": ALL,
    "key:none*": ALL,
    "sales": ALL,
    "other/sales": ALL,
}
JOBS: dict[str, Collection[str] | None] = {
    "checks__sales": {"sales"},
    "table__stock": {"stock"},
    "freshness__stock": {"stock"},
    "domain__detector": {"readings", "run_quality"},
    "__anonymous_asset_job_sales_arrivals": {"sales"},
    "__anonymous_asset_job_airlines_schedule": {"airlines"},
    "__ASSET_JOB": ALL,
    "checks__none": ALL,
    "domain__none": ALL,
    "__anonymous_asset_job_sales_other": ALL,
    "upkeep": ALL,
    "quarantine_replay": ALL,
    "sales": ALL,
}


def selection_of(text: str) -> dg.AssetSelection:
    """What `dagster asset materialize --select` makes of a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        return dg.AssetSelection.from_coercible(text.split(","))


@pytest.mark.parametrize("text", SELECTIONS)
def test_the_tables_of_a_selection(text: str) -> None:
    assert tables_of_selection(selection_of(text), table_files(SAMPLES)) == SELECTIONS[text]


@pytest.mark.parametrize("job", JOBS)
def test_the_tables_of_a_job(job: str) -> None:
    assert tables_of_run(dg.DagsterRun(job_name=job), table_files(SAMPLES)) == JOBS[job]


def test_the_tables_of_a_run_with_a_selection() -> None:
    sales, stock = dg.AssetKey(["silver", "sales"]), dg.AssetKey(["bronze", "stock"])
    run, files = dg.DagsterRun(job_name="__ASSET_JOB", asset_selection=frozenset({sales, stock})), table_files(SAMPLES)
    assert tables_of_run(run, files) == {"sales", "stock"}
    check = dg.AssetCheckKey(stock, "inputs_readable")
    checks = dg.DagsterRun(job_name="domain__retail", asset_check_selection=frozenset({check}))
    assert tables_of_run(checks, files) == {"stock"}
    stranger = dg.DagsterRun(job_name="__ASSET_JOB", asset_selection=frozenset({sales, dg.AssetKey("theirs")}))
    assert tables_of_run(stranger, files) is ALL


def test_a_process_for_no_run_loads_every_table() -> None:
    assert tables_of_process(SAMPLES) is ALL


# --- the same run ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    place = str(tmp_path_factory.mktemp("landing"))
    return build_definitions(load_sound_tables(SAMPLES, environment={"DQ_LANDING": place}))


@pytest.mark.parametrize("text", [text for text, tables in SELECTIONS.items() if tables is not ALL])
def test_a_selection_gives_the_same_run(text: str, whole: dg.Definitions, tmp_path: Path) -> None:
    selection = selection_of(text)
    only = tables_of_selection(selection, table_files(SAMPLES))
    part = build_definitions(load_sound_tables(SAMPLES, environment={"DQ_LANDING": str(tmp_path)}, only=only))
    keys = selection.resolve(whole.resolve_asset_graph())
    assert selection.resolve(part.resolve_asset_graph()) == keys
    jobs = [one.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys) for one in (whole, part)]
    # The subset of the job of all assets: that job has fewer, and so another id.
    snaps = [replace(JobSnap.from_job_def(job), lineage_snapshot=None) for job in jobs]
    assert snaps[0] == snaps[1]
    checks = [job.asset_layer.asset_graph.asset_check_keys for job in jobs]
    assert checks[0] == checks[1]


@pytest.mark.parametrize("job", [job for job, tables in JOBS.items() if tables is not ALL and "freshness" not in job])
def test_a_job_gives_the_same_run(job: str, whole: dg.Definitions, tmp_path: Path) -> None:
    only = tables_of_run(dg.DagsterRun(job_name=job), table_files(SAMPLES))
    part = build_definitions(load_sound_tables(SAMPLES, environment={"DQ_LANDING": str(tmp_path)}, only=only))
    snaps = [JobSnap.from_job_def(one.resolve_job_def(job)) for one in (whole, part)]
    assert snaps[0] == snaps[1]


# --- real processes -------------------------------------------------------------------------------------------

AT_ONCE = "run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}\n"
TABLE = """
    source: {type: csv, path: "{landing}/**/NAME.csv"}
    silver: {columns: {n: int64}, keys: [n]}
"""


@pytest.fixture
def three(tmp_path: Path) -> Workshop:
    """A gold table over one table, and another table beside them."""
    shop = Workshop(tmp_path / "shop")
    for name in ("read", "other"):
        shop.table(name, TABLE.replace("NAME", name))
        shop.land(f"{name}.csv", "n\n1\n2\n")
    shop.table("total", "gold: {sql: select sum(n)::bigint as n from silver.read}", domain="sums")
    return shop


def obstruct(shop: Workshop) -> None:
    """Whoever reads the file of the other table from now on waits for ever."""
    path = shop.root / "assets_config" / "shop" / "other.yaml"
    path.unlink()
    os.mkfifo(path)


def settings(shop: Workshop, places: Places) -> dict[str, str]:
    config = str(shop.root / "assets_config")
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{shop.root}", "DQ_CONFIG": config, "DQ_LAKE": str(places.lake)}


def dagster(*arguments: str, env: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "dagster", *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]


@pytest.mark.slow
def test_a_command_line_reads_no_other_table(three: Workshop, places: Places) -> None:
    obstruct(three)
    env = settings(three, places)
    dagster("asset", "materialize", "-m", "dq_pipelines.definitions", "--select", "*gold/total", env=env)
    with dg.DagsterInstance.get() as instance:
        for key in ("bronze/read", "silver/read", "gold/total"):
            assert instance.get_latest_materialization_event(dg.AssetKey(key.split("/"))) is not None, key


@pytest.mark.slow
def test_a_small_run_imports_neither_pandas_nor_the_kernels_of_pyarrow(three: Workshop, places: Places) -> None:
    """The import of pandas takes as long as all else that we do for a small table, also for one whose log has a checkpoint."""
    obstruct(three)
    script = "import atexit, sys; atexit.register(lambda: print({'pandas', 'pyarrow.compute'} & {*sys.modules})); "
    script += "import dagster._cli as c; c.main()"
    keys = ["bronze/read", "silver/read", "quarantine/read"]
    command = ["asset", "materialize", "-m", "dq_pipelines.definitions", "--select", ",".join(keys)]
    for batch in range(2):
        three.land(f"{batch}/read.csv", f"n,m\n{batch},1\nx,2\n")  # a delimiter, and a row to refuse
        ran = subprocess.run(
            [sys.executable, "-c", script, *command],
            env=settings(three, places), capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert ran.stdout.splitlines()[-1] == "set()"
        for key in keys:
            checkpoint(Lake.at(str(places.lake)).table(key))


@pytest.mark.slow
def test_a_launched_run_and_its_steps_read_no_other_table(three: Workshop, places: Places) -> None:
    """A run that was made when all tables were loaded, executed as Kubernetes does, each step in a process of its own."""
    (three.root / "of_steps.py").write_text(
        textwrap.dedent("""
        import os
        import dagster as dg
        from dq_pipelines import build_definitions
        from dq_pipelines.orchestration.runs.run_tables import load_tables_of_run

        defs = build_definitions(load_tables_of_run(os.environ["DQ_CONFIG"]), executor=dg.multiprocess_executor)
        """),
        encoding="utf-8",
    )
    env = settings(three, places)
    script = textwrap.dedent("""
        import sys
        import dagster as dg
        from dagster._core.code_pointer import ModuleCodePointer
        from dagster._core.definitions.reconstruct import ReconstructableRepository
        from dagster._grpc.types import ExecuteRunArgs
        from dagster._serdes import serialize_value
        job = ReconstructableRepository(ModuleCodePointer("of_steps", "defs")).get_reconstructable_job("__ASSET_JOB")
        keys = frozenset(dg.AssetKey(key.split("/")) for key in sys.argv[1:])
        with dg.DagsterInstance.get() as instance:
            run = instance.create_run_for_job(
                job.get_definition().get_subset(asset_selection=keys), asset_selection=keys,
                job_code_origin=job.get_python_origin(),
            )
            print(serialize_value(ExecuteRunArgs(job.get_python_origin(), run.run_id, instance.get_ref())))
    """)
    keys = ["bronze/read", "silver/read", "quarantine/read", "gold/total"]
    made = subprocess.run([sys.executable, "-c", script, *keys], env=env, capture_output=True, text=True, check=True)
    obstruct(three)
    dagster("api", "execute_run", made.stdout.splitlines()[-1], env=env)
    with dg.DagsterInstance.get() as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        assert instance.get_latest_materialization_event(dg.AssetKey(["gold", "total"])) is not None


@pytest.mark.slow
def test_a_run_of_a_code_server_reads_no_other_table(three: Workshop) -> None:
    with serving(three, AT_ONCE) as served:
        obstruct(three)
        run, until = served.launch(["silver/read", "gold/total"]), time.monotonic() + 120
        while (status := served.status(run)) in ("STARTING", "STARTED", "NOT_STARTED"):
            assert time.monotonic() < until, (three.root / "dagster-webserver.log").read_text()[-2000:]
            time.sleep(0.2)
    assert status == "SUCCESS", json.dumps(status)
    assert three.lake.table("gold/total").scan().collect().rows() == [(3,)]
