"""`dq.validate`: rules on any data, outside a project. Frames, paths and rule files come in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.engine.backends.base import Engine
from dq_pipelines.engine.backends.frames import frame_from, is_pandas, rows_and_unreadable
from dq_pipelines.engine.backends.pandas.frames import MIXED, python_of
from dq_pipelines.engine.backends.pandas.types import as_pandas_says
from dq_pipelines.engine.backends.polars.scan import Scan
from dq_pipelines.engine.backends.registry import connected, owner
from dq_pipelines.engine.foreign_engine import judge_elsewhere
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.result_format import ROW, Format, ResultFormat
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.engine.results.verdict import RuleResult, Verdict
from dq_pipelines.engine.statistics import statistics_of_file
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.rules import Rule, rule_from

if TYPE_CHECKING:
    from dq_pipelines.engine.rules_file import RulesFile


def validate(
    data: Any,
    rules: Any,
    *,
    engine: str = "polars",
    result_format: ResultFormat | Mapping[str, Any] | Format = "SUMMARY",
) -> Verdict:
    """Judge `data` by `rules` and return the verdict.

    `data` is a Polars, pandas, Arrow, DuckDB or Spark frame, or a path (CSV, Parquet, ORC, JSON, NDJSON,
    Excel, or the folder of a Delta table), or the name of a table of the engine's database. `engine` is who judges:
    `polars`, `duckdb`, `spark`, `postgresql`, or an address (`spark://…`, `sc://…`, `postgresql://…`); frames and
    tables of its own it judges where they lie. `rules` is a list of rule mappings, flat or as Great Expectations
    writes them, or the path of a YAML list of them or of a GX suite in JSON. `result_format` is BOOLEAN_ONLY, BASIC,
    SUMMARY or COMPLETE, or a mapping with it and GX's options.

    Raises ConfigError for rules that are none, SourceError for data that cannot be read. A rule that
    does not fit the data is a failed result with its `error`, as in GX. Lines of a file that cannot be read are judged by
    no rule: `meta["unreadable_lines"]` of the verdict counts them, and a warning says so.
    """
    wanted, other = Format.of(result_format), connected(engine)
    if other is not None:
        return _validate_elsewhere(other, data, rules_from(rules), wanted)
    frame, unread = _brought(data)
    # Rows are numbered where that is to be told and costs no second look at a file.
    numbered = wanted.name == "COMPLETE" or (wanted.name == "SUMMARY" and is_pandas(data))
    if numbered:
        frame = frame.with_row_index(ROW)
    known = rules_from(rules)
    if wanted.name == "COMPLETE":
        known = [rule.in_full() for rule in known]
    hidden = frozenset({ROW} if numbered else ())
    scan = Scan(frame, known, hidden=hidden, statistics=statistics_of_file(data, frame.collect_schema()))
    samples = _samples(wanted)
    judgement = judge(scan, samples=samples)
    results, judged = judgement.results, judgement.scan
    if is_pandas(data):
        results = tuple(as_pandas_says(result, data, frame, most=samples.most) for result in results)
    if numbered and is_pandas(data):
        mixed = [name for name, dtype in frame.collect_schema().items() if dtype == MIXED]
        results = tuple(_as_in_pandas(result, data, mixed) for result in results)
    kept, refused = (rows.drop(ROW) if numbered else rows for rows in (judged.kept, judged.refused))
    return Verdict(results, kept, refused, {"engine": engine} | unread, wanted)


def _brought(data: Any) -> tuple[pl.LazyFrame, dict[str, Any]]:
    """The data as a Polars frame, read through the engine that they lie in; and what the verdict says of lines that it lacks."""
    keeper = owner(data)
    if keeper is not None:
        return keeper.rows(keeper.hold(data)), {}
    if not isinstance(data, str | Path):
        return frame_from(data), {}
    rows, unreadable = rows_and_unreadable(str(data))
    return rows, {"unreadable_lines": unreadable} if unreadable else {}


def _validate_elsewhere(engine: Engine, data: Any, rules: list[Rule], wanted: Format) -> Verdict:
    own = engine.owns(data)
    numbered = wanted.name == "COMPLETE" and not own
    brought, unread = (None, dict[str, Any]()) if own else _brought(data)
    if brought is None or (isinstance(data, str | Path) and not numbered):
        frame = engine.hold(data)
    else:
        frame = engine.hold(brought.with_row_index(ROW) if numbered else brought)
    if wanted.name == "COMPLETE":
        rules = [rule.in_full() for rule in rules]
    hidden = frozenset({ROW} if numbered else ())
    types = None if brought is None else brought.collect_schema()
    judged = judge_elsewhere(engine, frame, rules, hidden=hidden, samples=_samples(wanted), types=types)
    kept, refused = (rows.drop(ROW) if numbered else rows for rows in (judged.kept, judged.refused))
    return Verdict(judged.results, kept, refused, {"engine": engine.name} | unread, wanted)


def _samples(wanted: Format) -> Samples:
    """The failing rows that the results will tell, and no more of them than they tell."""
    most = {"COMPLETE": None, "BOOLEAN_ONLY": 0}.get(wanted.name, wanted.most_listed)
    return Samples(most, beside=None if wanted.with_rows else wanted.index_columns)


def _as_in_pandas(result: RuleResult, data: Any, mixed: Sequence[str]) -> RuleResult:
    """The result with its rows called as the frame's index calls them, and values of mixed columns as they were."""
    places = {str(name): place for place, name in enumerate(data.columns)}

    def own(row: Mapping[str, Any]) -> dict[str, Any]:
        number = row[ROW]
        values = {name: data.iat[number, places[name]] for name in mixed if row.get(name) is not None}
        return {**row, **values, ROW: python_of(data.index[number])}

    return replace(result, unexpected_rows=tuple(own(row) for row in result.unexpected_rows))


def _file_at(path: Path) -> RulesFile:
    # YAML takes 25 ms to import: whoever has rules at hand needs none.
    from dq_pipelines.engine.rules_file import read_rules_file

    return read_rules_file(path)


def rules_from(rules: Any) -> list[Rule]:
    """Rules from mappings, a YAML list of rules, or a GX suite in JSON; every problem at once."""
    file = _file_at(Path(rules)) if isinstance(rules, str | Path) else None
    items = file.rules if file is not None else rules
    if isinstance(items, Mapping):
        items = items.get("expectations", items.get("rules"))
    if not isinstance(items, Iterable):
        raise ConfigError([Problem("", 0, "wanted a list of rules, or a mapping with `rules` or `expectations`")])
    found, problems = [], []
    for index, item in enumerate(items):
        try:
            found.append(rule_from(item, as_gx_does=True))
        except ConfigError as error:
            problems += [file.problem((index,), said.message) if file else said for said in error.problems]
    if problems:
        raise ConfigError(problems)
    return found
