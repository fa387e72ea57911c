"""A table whose file is not sound keeps no other from loading, and is not passed over."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dq_pipelines.assembly import build_definitions
from dq_pipelines.errors import ConfigError
from dq_pipelines.history.store import History
from dq_pipelines.lake.tables import Lake
from dq_pipelines.layers.left_out import CHECK
from dq_pipelines.layers.stores import Stores
from dq_pipelines.project import load_project, load_sound_tables

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
    keys = {table.key for table in whole}
    assert {table.key for table in project} == keys - left_out.keys()
    assert all(project.tables[table.name] == whole.tables[table.name] for table in project)


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
