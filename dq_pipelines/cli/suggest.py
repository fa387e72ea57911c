"""`dq suggest`: proposes a table and its rules from data or a data contract, and never overwrites a file."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dq_pipelines.config.counting import counted
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, Problem, PublishError, nearest

if TYPE_CHECKING:
    from dq_pipelines.monitoring.suggestions import Parent
    from dq_pipelines.monitoring.suggestions.table import SuggestedTable
    from dq_pipelines.project import Project, Table
    from dq_pipelines.rules import Rule

app = typer.Typer()


@app.command()
def suggest(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A CSV, Parquet, ORC, JSON, NDJSON or Excel file, a Delta table's folder, a table of the project, "
            "or a data contract in YAML.",
            show_default=False,
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the table's file under assets_config, unless it exists.")
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(
            help="The domain (folder) to write it to; by default the name of the data's folder.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write the profile and its rules to FILE as one page.", show_default=False
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(
            help="A workbook's sheet, by name or by position from 0; by default the one with the most values.",
            show_default=False,
        ),
    ] = None,
    from_contract: Annotated[
        str | None,
        typer.Option(help="A data contract in YAML (Open Data Contract Standard v3).", show_default=False),
    ] = None,
    schema_object: Annotated[
        str | None, typer.Option(help="Only this object of the contract's schema.", show_default=False)
    ] = None,
) -> None:
    """Profile data and print a table's YAML: types, keys and rules, each with its reason and confidence.

    For a table of the project, print the rules that it does not have yet. For a data contract, print a table for each
    object of its schema; comments list the parts that a table cannot express, with line and reason.
    Exit 1 when a line cannot be parsed.
    """
    if data is not None and from_contract is None and data.lower().endswith((".yaml", ".yml")):
        from_contract, data = data, None
    if from_contract is not None:
        _from_contract(from_contract, schema_object)
    elif data is None:
        raise _problem("dq suggest: wanted a file, a table of the project or --from-contract FILE")
    elif (table := _project_table(data)) is not None:
        _for_table(*table, apply=apply, html=html)
    else:
        _for_file(data, domain, sheet=sheet, apply=apply, html=html)


def _from_contract(path: str, schema_object: str | None) -> None:
    from dq_pipelines.monitoring.contracts import tables_from_contract

    print("---\n".join(tables_from_contract(path, schema_object).values()), end="")


def _for_file(path: str, domain: str | None, *, sheet: str | None, apply: bool, html: Path | None) -> None:
    from dq_pipelines.cli.input_file import read_file
    from dq_pipelines.engine.backends.frames import UnreadableLines, frame_from
    from dq_pipelines.monitoring.contracts.table import table_name
    from dq_pipelines.monitoring.suggestions.table import suggested_table, table_yaml
    from dq_pipelines.sources import read as read_source

    settings = Settings.from_environment()
    name = table_name(Path(path.rstrip("/")).name.partition(".")[0])
    folder = table_name(domain or Path(path).absolute().parent.name)
    target = Path(settings.config) / folder / f"{name}.yaml"
    if apply:
        _must_be_new(target, name)
    source = _source(path, sheet)
    file = read_file(path)
    with warnings.catch_warnings():  # `read_file` has printed the lines
        warnings.simplefilter("ignore", UnreadableLines)
        rows = read_source(source).rows if source["type"] == "excel" else frame_from(file.data)
    suggestion = suggested_table(rows, _parents(name))
    text = table_yaml(suggestion, name, source, str(target))
    if html is not None:
        _write_page(html, suggestion, name, text)
    if apply:
        _write(target, text, new=True)
        print(
            f"wrote {target}: {counted(len(suggestion.types), 'column')}, {counted(len(suggestion.rules), 'rule')}; review them and run dq check",
            file=sys.stderr,
        )
    elif html is None:
        print(text, end="")
    if file.unreadable:
        raise typer.Exit(1)


def _source(path: str, sheet: str | None) -> Mapping[str, Any]:
    """The source that reads the file; for a workbook, with the named sheet, or the one with the most values."""
    from dq_pipelines.engine.backends.frames import source_at
    from dq_pipelines.monitoring.suggestions.sheets import choose_sheet

    source = source_at(path)
    if source["type"] != "excel":
        if sheet is not None:
            raise _problem(f"dq suggest --sheet: wanted a workbook, got {path}")
        return source
    chosen = choose_sheet(source, sheet)
    if chosen.why is not None:
        print(f"{path}: {chosen.why}", file=sys.stderr)
    return chosen.source


def _write_page(path: Path, suggestion: SuggestedTable, name: str, text: str) -> None:
    from dq_pipelines.monitoring.suggestions.profile_page import page

    _write(path, page(suggestion, name, text), new=False)
    print(f"wrote {path}", file=sys.stderr)


def _write(path: Path, text: str, *, new: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x" if new else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PublishError(f"{path}: wanted to write it, got {error.strerror}") from None


def _must_be_new(target: Path, name: str) -> None:
    """Raise ConfigError when the file exists or the project has a table of this name: no file is overwritten."""
    existing = target if target.exists() else None
    project = _project()
    if existing is None and project is not None and name in project.tables:
        existing = Path(project.tables[name].file)
    if existing is not None:
        raise _problem(
            f"dq suggest --apply: {existing} exists and is not overwritten (without --apply, the YAML is printed)"
        )


def _for_table(project: Project, table: Table, *, apply: bool, html: Path | None) -> None:
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.monitoring.suggestions.table import rules_yaml, suggested_table
    from dq_pipelines.rules import rule_from

    if apply:
        raise _problem(
            f"dq suggest --apply: {table.file} exists and is not overwritten (without --apply, the rules are printed)"
        )
    rows = Lake.at(Settings.from_environment().lake).table(table.key).scan()
    existing = {_identity(rule) for rule in table.rules}
    suggestion = suggested_table(rows, _parents(table.name, project))
    new = [each for each in suggestion.rules if _identity(rule_from(each.rule)) not in existing]
    text = rules_yaml(new, f"{table.key} ({table.file})")
    if html is None:
        print(text, end="")
    else:
        _write_page(html, suggestion, table.key, text)


def _identity(rule: Rule) -> tuple[Any, ...]:
    """What two rules must share to be the same: type, columns, SQL and row condition."""
    return rule.type, rule.column_label, getattr(rule, "sql", None), rule.row_condition


def _project_table(name: str) -> tuple[Project, Table] | None:
    """The project's table of this name; None for a file. Raises ConfigError for what is neither."""
    from dq_pipelines.engine.backends.frames import is_path_of_file

    layered = name.partition("/")[0] in ("silver", "gold") and not Path(name).exists()
    if is_path_of_file(name) and not layered:
        return None
    project = _project()
    tables = {} if project is None else project.tables
    table = tables.get(name.partition("/")[2] if layered else name)
    if table is None or project is None:
        known = [*tables, *(path.name for path in Path().iterdir())]
        raise _problem(f"dq suggest: '{name}' is neither a file nor a table of the project{nearest(name, known)}")
    return project, table


def _project() -> Project | None:
    """The project; None if there is none yet."""
    from dq_pipelines.project import load_project

    config = Settings.from_environment().config
    return load_project(config) if Path(config).is_dir() else None


def _parents(name: str, project: Project | None = None) -> list[Parent]:
    """The keys of the project's other tables, as they were last published."""
    from dq_pipelines.lake.tables import Lake
    from dq_pipelines.monitoring.suggestions.references import parents_in

    project = project or _project()
    if project is None:
        return []
    lake = Lake.at(Settings.from_environment().lake)
    keys = {table.key: _key_of(table) for table in project if table.name != name}
    known = {key: column for key, column in keys.items() if column is not None}
    return parents_in(
        {key: (lake.table(key).scan(), column) for key, column in known.items() if lake.table(key).exists}
    )


def _key_of(table: Table) -> str | None:
    """The one column that identifies the table's rows; None if there is none."""
    if not table.is_gold and len(table.landed.silver.keys) == 1:
        return table.landed.silver.keys[0]
    unique = [rule.column_label for rule in table.rules if rule.type == "expect_column_values_to_be_unique"]
    return unique[0] if unique else None


def _problem(sentence: str) -> ConfigError:
    return ConfigError([Problem("", 0, sentence)])
