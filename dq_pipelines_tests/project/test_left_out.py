"""A table whose file is not sound keeps no other from loading, and is not passed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES, is_valid_owner
from dagster._utils.schedules import is_valid_cron_schedule
from dagster._utils.tags import normalize_tags
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import PanicException
from pydantic import TypeAdapter, ValidationError

from dq_pipelines.assembly import build_definitions
from dq_pipelines.config.cron import last_tick, problem
from dq_pipelines.errors import ConfigError
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.checks.left_out_tables import CHECK
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import DailyPartitions, LandedTable, load_project, load_sound_tables
from dq_pipelines.project.authors import Author, Authorship
from dq_pipelines.project.draft import Change
from dq_pipelines.project.names import RESERVED, taken
from dq_pipelines.project.scalar_types import Owner, Tags

LANDED = "source: {type: csv, path: landing/x.csv}\nowners: [team:shop]\n"
FILES = {
    "shop/sales.yaml": LANDED,
    "shop/returns.yaml": LANDED,
    "shop/by_id.yaml": "gold: {sql: select id from silver.sales}\n",
    "shop/by_day.yaml": "gold: {sql: select id from gold.by_id}\n",
    "yard/orders.yaml": LANDED + "silver: {rules: [{type: expect_column_values_to_exist_in, column: id, table: silver/returns, key: id}]}\n",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / name).write_text(text)
    return tmp_path / "c"


def test_a_sound_project_is_the_same_either_way(root: Path) -> None:
    assert load_sound_tables(root) == load_project(root)


@pytest.mark.parametrize(
    ("name", "text", "left_out"),
    [
        ("shop/sales.yaml", "surce: {}\n", {"silver/sales": "shop/sales.yaml:1:", "gold/by_id": "reads silver/sales", "gold/by_day": "reads gold/by_id"}),
        ("shop/sales.yaml", "a: [\n", {"silver/sales": "shop/sales.yaml:", "gold/by_id": "reads silver/sales", "gold/by_day": "reads gold/by_id"}),
        ("shop/sales.yaml", LANDED + "description: ${NOT_THERE}\n", {"silver/sales": "NOT_THERE", "gold/by_id": "reads silver/sales", "gold/by_day": "reads gold/by_id"}),
        ("shop/returns.yaml", LANDED + "silver: {transform: [{python: x}]}\n", {"silver/returns": "module:function", "silver/orders": "reads silver/returns"}),
        ("shop/by_id.yaml", "gold: {sql: select id from gold.by_day}\n", {"gold/by_day": "wait for each other", "gold/by_id": "reads gold/by_day"}),
        ("shop/by_day.yaml", "gold: {sql: select id from silver.none}\n", {"gold/by_day": "unknown table"}),
        ("yard/sales.yaml", LANDED, {"": "duplicate table 'sales'"}),
        ("yard/Sales.yaml", LANDED, {"": "wanted a table of a-z"}),
        ("shop/sales.yaml", LANDED + "silver: {transform: [{derive: {a: \"x + interval '1 foo'\"}}]}\n", {"silver/sales": "shop/sales.yaml:", "gold/by_id": "reads silver/sales", "gold/by_day": "reads gold/by_id"}),
        ("shop/returns.yaml", LANDED + "silver: {transform: [{derive: {a: \"x at time zone 'foo'\"}}]}\n", {"silver/returns": "shop/returns.yaml:", "silver/orders": "reads silver/returns"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id, rules: [{type: expect_rows_sql, sql: greatest()}]}\n", {"gold/by_day": "shop/by_day.yaml:"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id, rules: [{type: expect_column_values_to_match_strftime_format, column: id, strftime_format: '%d%d'}]}\n", {"gold/by_day": "'%d%d' is none that dates can be read by"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id, rules: " + "a" * 300 + ".json}\n", {"gold/by_day": "aaa...: File name too long"}),
        ("shop/class.yaml", LANDED, {"silver/class": "got 'class', which Python or Dagster keeps for itself"}),
        ("shop/upkeep.yaml", LANDED, {"silver/upkeep": "got 'upkeep', which is that of a maintenance job"}),
        ("shop/domain__shop.yaml", LANDED, {"silver/domain__shop": "which is that of a job or an op of the domain shop"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id}\nowners: [x@y]\n", {"gold/by_day": "an e-mail address, got 'x@y'"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id}\ntags: {a b: c}\n", {"gold/by_day": "got 'a b'"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id}\ntags: {a: b c}\n", {"gold/by_day": "got 'b c'"}),
        ("shop/by_day.yaml", "gold: {sql: select id from gold.by_id}\nschedule: 0 0 30,31 2 *\n", {"gold/by_day": "wanted a day that the month has, got day 30,31 of month 2"}),
        ("shop/by_day.yaml", LANDED + "partitions: {type: daily, start: 9999-12-31}\n", {"silver/by_day": "wanted a day from 1000-01-01"}),
        ("lost.yaml", LANDED, None),
        ("project.yaml", "nam: x\n", None),
    ],
)  # fmt: skip
def test_what_is_not_sound_is_left_out_with_its_sentence_and_who_reads_it_is_blocked(
    root: Path, name: str, text: str, left_out: dict[str, str] | None
) -> None:
    whole = load_project(root)
    (root / name).write_text(text)
    with pytest.raises(ConfigError):
        load_project(root)
    if left_out is None:  # it concerns all tables
        with pytest.raises(ConfigError, match=name):
            load_sound_tables(root)
        return
    project = load_sound_tables(root)
    assert {one.key for one in project.left_out} == left_out.keys()
    for one in project.left_out:
        assert left_out[one.key] in one.why
        assert one.file.startswith(str(root))
        assert "\n" not in one.why
    assert project.tables.keys() == whole.tables.keys() - {key.partition("/")[2] for key in left_out}
    assert all(project.tables[table.name] == whole.tables[table.name] for table in project)
    files = {Path(path).stem for path in (*FILES, name)}
    for only in files:  # a run loads no other table, and finds the same
        part = load_sound_tables(root, only={only})
        assert part.tables.get(only) == project.tables.get(only)
        assert all(project.tables[table.name] == table for table in part)
        assert {one.key for one in part.left_out if one.name == only} == {
            one.key for one in project.left_out if one.name == only
        }


def test_only_some_tables_are_loaded_with_what_they_read(root: Path) -> None:
    assert [table.name for table in load_sound_tables(root, only={"by_day"})] == ["by_day", "by_id", "sales"]
    assert [table.name for table in load_sound_tables(root, only={"orders", "sales"})] == ["returns", "sales", "orders"]
    assert not load_sound_tables(root, only={"none"}).tables


def test_owners_and_domain_of_what_is_left_out_are_known(root: Path) -> None:
    (root / "shop/sales.yaml").write_text(LANDED + "surce: {}\n")
    found = load_sound_tables(root).left_out_by_key("quarantine/sales")
    assert found is not None
    assert (found.domain, found.owners, found.key) == ("shop", ("team:shop",), "silver/sales")
    assert load_sound_tables(root).left_out_by_key("silver/by_id") is None


@pytest.mark.slow
def test_dagster_shows_what_is_left_out_and_runs_the_others(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/x.csv").write_text("id\n1\n")
    (root / "shop/sales.yaml").write_text("surce: {}\n")
    stores = Stores(Lake.at(str(tmp_path / "lake")), History(f"sqlite:///{tmp_path}/history.db"))
    definitions = build_definitions(load_sound_tables(root), stores=stores)
    graph = definitions.resolve_asset_graph()
    for key in ("bronze/sales", "silver/sales", "quarantine/sales", "gold/by_id", "gold/by_day"):
        node = graph.get(dg.AssetKey(key.split("/")))
        assert not node.is_materializable
        assert str(root) in node.metadata["dq/error"]
    assert graph.get(dg.AssetKey(["silver", "returns"])).is_materializable
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        ran = job.execute_in_process(instance=instance, raise_on_error=False)
    materialized = {
        "/".join(event.asset_key.path) for event in ran.get_asset_materialization_events() if event.asset_key
    }
    assert {"silver/returns", "silver/orders"} <= materialized
    failed = {
        "/".join(one.asset_key.path)
        for one in ran.get_asset_check_evaluations()
        if not one.passed and one.check_name == CHECK
    }
    assert failed == {"silver/sales", "gold/by_id", "gold/by_day"}


@pytest.mark.parametrize("fault", [RuntimeError("first\nsecond"), PanicException("first\nsecond")])
def test_a_fault_of_a_library_is_told_to_those_who_write_on_the_disk_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    validate = LandedTable.model_validate

    def fails(value: Any) -> LandedTable:
        if value.get("description") == "fails":
            raise fault
        return validate(value)

    monkeypatch.setattr(LandedTable, "model_validate", fails)
    (root / "new").write_text(LANDED + "description: fails\n")
    for authorship, told in ((None, "first"), (Authorship(Author("ann")), type(fault).__name__)):
        change = Change(Path("shop/sales.yaml"), root / "new", authorship)
        why = [one.why for one in load_sound_tables(root, change=change).left_out if one.problems]
        assert why == [f"{root / 'shop/sales.yaml'}: wanted a table that can be read, got {told}"]


def stores_in(folder: Path) -> Stores:
    return Stores(Lake.at(str(folder / "lake")), History(f"sqlite:///{folder}/history.db"))


def test_a_table_that_dagster_alone_refuses_is_left_out_with_who_reads_it(root: Path, tmp_path: Path) -> None:
    project = load_project(root)
    sales = project.tables["sales"]
    refused = replace(sales, model=sales.model.model_copy(update={"owners": ("nobody",)}))
    project = replace(project, tables={**project.tables, "sales": refused})
    graph = build_definitions(project, stores=stores_in(tmp_path)).resolve_asset_graph()
    for key in ("silver/sales", "gold/by_id", "gold/by_day"):
        assert not graph.get(dg.AssetKey(key.split("/"))).is_materializable
    why = graph.get(dg.AssetKey(["silver", "sales"])).metadata["dq/error"]
    assert "shop/sales.yaml" in why
    assert "Dagster refuses the table: Invalid owner 'nobody'" in why
    assert graph.get(dg.AssetKey(["silver", "orders"])).is_materializable


def test_names_that_a_table_may_not_have_are_those_that_dagster_has(root: Path, tmp_path: Path) -> None:
    assert RESERVED == DISALLOWED_NAMES
    daily = LANDED + "partitions: {type: daily, start: 2026-01-01}\nfreshness: {cron: 0 5 * * *}\n"
    watched = "retention: {keep: 1d, by: at}\nsilver: {columns: {at: date}, anomalies: [{metric: row_count}]}\n"
    (root / "shop/sales.yaml").write_text(daily + watched)
    project = load_project(root)
    repository = build_definitions(project, stores=stores_in(tmp_path)).get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    names = {job.name for job in jobs} | {node.name for job in jobs for node in job.all_node_defs}
    ours = {name for name in names if name not in project.tables and "sound" not in name}
    other = project.tables["returns"]
    free = {name for name in ours if taken(replace(other, name=name), project) is None}
    assert free == set()


LABEL = st.text("ab9_-./ é@:+%\n", max_size=12) | st.integers(60, 66).map("a".__mul__)


@given(text=LABEL | st.from_regex(r"[a9_.%-]{0,3}@[a.-]{1,4}\.?[a-zA-Z|]{1,9}|team:.{0,3}", fullmatch=True))
def test_owners_that_are_taken_are_taken_by_dagster(text: str) -> None:
    try:
        TypeAdapter(Owner).validate_python(text)
    except ValidationError:
        assert text.startswith("team:") or "|" in text or not is_valid_owner(text)
    else:
        assert is_valid_owner(text)


@given(key=LABEL, value=LABEL)
def test_tags_that_are_taken_are_taken_by_dagster(key: str, value: str) -> None:
    try:
        TypeAdapter(Tags).validate_python({key: value})
        ours = True
    except ValidationError:
        ours = False
    try:
        normalize_tags({key: value}, strict=True)
        dagsters = not (key + value).endswith("\n") and "\n" not in key
    except dg.DagsterInvalidDefinitionError:
        dagsters = False
    assert ours == dagsters


@given(st.from_regex(r"0 0 (\*|3[01]|29|30,31|\*/30|30-31) (\*|2|2,4|2/20|4,6|feb) (\*|1)", fullmatch=True))
def test_schedules_that_are_taken_are_taken_by_dagster_and_come(text: str) -> None:
    if problem(text) is None:
        assert is_valid_cron_schedule(text)
        assert text.endswith("1") or last_tick(text, datetime(2026, 1, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize("day", [date(1000, 1, 1), date(9998, 12, 31)])
def test_the_first_and_the_last_day_that_is_taken_is_taken_by_dagster(day: date) -> None:
    wanted = DailyPartitions(type="daily", start=day)
    dg.DailyPartitionsDefinition(start_date=wanted.start.isoformat(), end_offset=1)
