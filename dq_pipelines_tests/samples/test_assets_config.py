"""The sample project fits the sample data: it loads, and for each fault it has the rule that finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.project import GoldTable, LandedTable, Project, Table, load_project
from dq_pipelines.samples import SAMPLES, Fault, generate
from dq_pipelines.transforms.steps import function_at

CONFIG = Path(__file__).parents[2] / "assets_config"

#: What finds a fault without a rule, and the fate that it then has.
WITHOUT_RULE = {"cast": "quarantined", "unreadable": "quarantined", "deduplicate": "dropped", "filter": "dropped"}
FATE_OF_ACTION = {"quarantine": "quarantined", "drop": "dropped", "warn": "published"}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(CONFIG, environment={"DQ_LANDING": "landing"})


def finders(table: Table, fault: Fault) -> list[str]:
    """The fates that the rules of the fault's type and column give it."""
    return [
        FATE_OF_ACTION[rule.action]
        for rule in table.rules
        if rule.type == fault.found_by and (getattr(rule, "column", None) or "") == fault.column
    ]


@pytest.mark.parametrize("domain", SAMPLES)
def test_each_fault_has_what_finds_it(domain: str, project: Project, tmp_path: Path) -> None:
    for fault in generate(domain, tmp_path).faults:
        table = project.tables[fault.table]
        assert table.domain == domain
        if fault.found_by in WITHOUT_RULE:
            assert fault.fate == WITHOUT_RULE[fault.found_by]
        else:
            assert fault.fate in finders(table, fault), fault


@pytest.mark.parametrize("domain", SAMPLES)
def test_each_table_finds_its_files(domain: str, tmp_path: Path) -> None:
    truth = generate(domain, tmp_path)
    project = load_project(CONFIG, environment={"DQ_LANDING": str(tmp_path)})
    seen = set()
    for name in truth.landed:
        model = project.tables[name].model
        assert isinstance(model, LandedTable)
        found = {item.uri.removeprefix("file://") for item in model.source.inputs()}
        assert found
        seen |= found
    assert seen == {str(tmp_path / name) for name in truth.written}


def test_no_known_fault_of_the_flights_stops_or_refuses_anything(project: Project, tmp_path: Path) -> None:
    for fault in generate("flights", tmp_path).faults:
        assert set(finders(project.tables[fault.table], fault)) <= {"published", "quarantined"}
        assert "published" in finders(project.tables[fault.table], fault)


def test_named_python_functions_are_there(project: Project) -> None:
    named = [table.model.gold.python for table in project if isinstance(table.model, GoldTable)]
    named += [getattr(step, "python", None) for table in project if isinstance(table.model, LandedTable)
              for step in table.model.silver.transform]  # fmt: skip
    functions = [name for name in named if name is not None]
    assert len(functions) == 2
    for name in functions:
        assert function_at(name).__doc__


@pytest.mark.parametrize("path", sorted(CONFIG.rglob("*.yaml")), ids=lambda path: path.stem)
def test_each_file_tells_editors_its_schema(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    schema = "project.json" if path.name == "project.yaml" else "table.json"
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve() == CONFIG.parent / "docs" / "schema" / schema
